"""Multipath TCP for aiohttp (3.12 or newer), client and server.

>>> import asyncio, aiohttp, subflows
>>> from aiohttp import web
>>> from subflows.adapters.aiohttp import TCPConnector, site
>>> async def main():
...     runner = web.AppRunner(web.Application())
...     await runner.setup()
...     await site(runner, "127.0.0.1", 0).start()
...     url = "http://%s:%d/" % runner.addresses[0]
...     async with aiohttp.ClientSession(connector=TCPConnector()) as session:
...         async with session.get(url) as response:
...             print(response.status)
...     await runner.cleanup()
>>> asyncio.run(main())
404

In a handler, pass the request to the functions of `subflows` and `subflows.aio`. On the client's side,
pass a response of `ClientResponse` (``ClientSession(response_class=ClientResponse)``), also after its
last byte: aiohttp's own class has a connection only while the response is read, and a short response is
read at once.
"""

from __future__ import annotations

import socket
from typing import Any

import aiohttp
from aiohttp import web

import subflows

from .._keywords import Keywords
from ._options import CONNECT, bind_to_interface, require

__all__ = ["ClientResponse", "TCPConnector", "site"]

require("aiohttp", aiohttp.__version__, (3, 12))

_LISTEN = Keywords(subflows.listen)


class TCPConnector(aiohttp.TCPConnector):
    """A connector by Multipath TCP, with the keywords of `subflows.connect` except its timeout.

    It sets the `socket_factory` of `aiohttp.TCPConnector`, so it cannot take another one.
    """

    @CONNECT.shown
    def __init__(self, **kwargs: Any) -> None:
        options = CONNECT.take(kwargs)

        def make(info: aiohttp.AddrInfoType) -> socket.socket:
            sock = subflows.socket(info[0])
            try:
                bind_to_interface(sock, options["interface"])
                if options["control"]:
                    subflows.take_control(sock)
            except BaseException:
                sock.close()
                raise
            return sock

        if options["local"] is not None:
            kwargs["local_addr"] = options["local"]
        super().__init__(socket_factory=make, **kwargs)


class ClientResponse(aiohttp.ClientResponse):
    """A response with the `fileno` of the connection by which it came, for as long as that is open."""

    _sock: Any = None

    async def start(self, connection: Any) -> ClientResponse:
        """Reads the headers, for the session."""
        self._sock = connection.transport.get_extra_info("socket")
        await super().start(connection)
        return self

    def fileno(self) -> int:
        """The descriptor of the connection, or -1 if the server or the session has closed it."""
        fd: int = self._sock.fileno()
        return fd


@_LISTEN.shown
def site(runner: web.BaseRunner, host: str, port: int, **kwargs: Any) -> web.SockSite:
    """Like `aiohttp.web.TCPSite`, by Multipath TCP. It listens at once, and serves TCP clients too.

    Keywords that `subflows.listen` does not have (`ssl_context`, …) are passed on. Without a runner,
    use ``web.run_app(app, sock=subflows.listen((host, port)))``.
    """
    options = _LISTEN.take(kwargs)
    sock = subflows.listen((host, port), **options)
    try:
        return web.SockSite(runner, sock, backlog=options["backlog"], **kwargs)
    except BaseException:
        sock.close()
        raise
