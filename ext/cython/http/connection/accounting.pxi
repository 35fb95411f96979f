# What is counted and logged of each response.

cdef int record_response(
    HttpProtocol protocol, Exchange exchange, int status, failure=None, bytes new_id=b"-"
) except -1:
    """Count a response, and log it. An error has its `failure` here or in the exchange.

    Without an exchange, no head of a request was complete: the response has a `new_id`.
    """
    cdef ConnectionSettings settings = protocol.settings
    cdef double elapsed_s = 0.0
    method = url = "-"
    request_id = new_id.decode("ascii")
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
        if status >= 400 and failure is None:
            failure = exchange.failure or exchange.scope.get("torch_serving.failure")
    host = client[0] if client else None
    request = (host, method, url, request_id)
    settings.responses.record(counters, status, elapsed_s, request, failure)
    return 0
