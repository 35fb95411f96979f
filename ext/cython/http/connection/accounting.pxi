# What is counted and logged of each response.

cdef int record_response(HttpProtocol protocol, Exchange exchange, int status) except -1:
    """Count a response, and log it. Without an exchange, no head of a request was complete."""
    cdef ConnectionSettings settings = protocol.settings
    cdef double elapsed_s = 0.0
    method = url = request_id = "-"
    counters = None
    client = protocol.client
    if exchange is not None:
        elapsed_s = perf_counter() - exchange.started_s
        if exchange.invocation is not None:
            counters = exchange.invocation.counters
        else:
            counters = exchange.scope.get("torch_serving.counters")
        method, url = exchange.scope["method"], exchange.url.decode("latin-1")
        request_id = exchange.request_id.decode("ascii")
        client = exchange.scope["client"]
    host = client[0] if client else None
    settings.responses.record(counters, status, elapsed_s, (host, method, url, request_id))
    return 0
