"""Multipath TCP for the libraries that programs already use, each in a module of its own.

========================  ==========================================================
`adapters.urllib3`        ``PoolManager``, connections and pools; ``upgrade`` of a manager
`adapters.requests`       ``HTTPAdapter``
`adapters.httpx`          ``HTTPTransport``, ``AsyncHTTPTransport`` (asyncio and trio)
`adapters.httpcore`       the network backends that these rest on
`adapters.aiohttp`        ``TCPConnector`` of a client, ``site`` of a server
`adapters.http_server`    ``HTTPServer``, ``TCPServer`` and a mixin for their like
`adapters.ssl`            ``connect`` and ``listen`` with TLS
========================  ==========================================================

None of them needs more than the library that it is named after and what that one needs, and
importing `subflows` imports none. Clients take ``control``, ``local`` and ``interface`` as
`subflows.connect` does; timeouts are the library's own. Where either end has no Multipath TCP, the
connection is plain TCP: `subflows.status` tells.
"""
