"""Multipath TCP for common libraries, a module for each.

========================  ==========================================================
`adapters.urllib3`        ``PoolManager``, connections and pools; ``upgrade`` of a manager
`adapters.requests`       ``HTTPAdapter``
`adapters.httpx`          ``HTTPTransport``, ``AsyncHTTPTransport`` (asyncio and trio)
`adapters.httpcore`       the network backends of the two transports
`adapters.aiohttp`        ``TCPConnector`` and ``ClientResponse`` of a client, ``site`` of a server
`adapters.gevent`         ``connect``, ``open`` and ``events``, which do not stop the hub
`adapters.http_server`    ``HTTPServer``, ``TCPServer`` and a mixin for other servers
`adapters.ssl`            ``connect`` and ``listen`` with TLS
========================  ==========================================================

A module requires only the library that it is named after; importing `subflows` imports none of them.
Clients take the keywords of `subflows.connect` (``control``, ``local``, ``interface``), except its
timeout: each library has its own. If either end does not support Multipath TCP, the connection is plain
TCP; `subflows.status` reports which it is.
"""
