# What was read of a head -> an exchange.

cdef object address_of(name):
    """A peer's or a socket's own address; a Unix socket has none."""
    return tuple(name[:2]) if isinstance(name, (tuple, list)) else None


cdef int update_forwarded(dict scope, RequestReader reader) except -1:
    """Take client and scheme from the headers of a trusted proxy."""
    addresses = [value for name, value in reader.headers if name == b"x-forwarded-for"]
    if addresses:
        scope["client"] = reader.protocol.settings.proxies.client_of(addresses, scope["client"])
    for name, value in reader.headers:
        if name == b"x-forwarded-proto":
            scope["scheme"] = scheme_of(value, scope["scheme"])
    return 0


cdef Exchange new_exchange(RequestReader reader):
    cdef Exchange exchange = Exchange.__new__(Exchange)
    cdef HttpProtocol protocol = reader.protocol
    cdef str version = reader.parser.get_http_version()
    url = httptools.parse_url(reader.url)
    raw_path = url.path or b"/"
    path = raw_path.decode("ascii")
    exchange.request_id = reader.request_id or protocol.settings.new_id()
    exchange.scope = {
        "type": "http",
        "asgi": ASGI,
        "http_version": version,
        "server": protocol.server,
        "client": protocol.client,
        "scheme": protocol.scheme,
        "method": reader.parser.get_method().decode("ascii"),
        "root_path": protocol.settings.root_path,
        "path": urllib.parse.unquote(path) if "%" in path else path,
        "raw_path": raw_path,
        "query_string": url.query or b"",
        "headers": reader.headers,
        "torch_serving.request_id": exchange.request_id,
    }
    if reader.is_forwarded:
        update_forwarded(exchange.scope, reader)
    exchange.url = reader.url
    exchange.started_s = perf_counter()  # the loop's clock stands still for a turn
    exchange.protocol = protocol
    exchange.body = bytearray()
    exchange.more_body = True
    exchange.expects_continue = reader.expects_continue
    exchange.keep_alive = (
        version != "1.0"
        and not protocol.is_last
        and reader.parser.should_keep_alive()
        and not reader.parser.should_upgrade()
    )
    return exchange
