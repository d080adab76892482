"""aiohttp (3.12 or newer) by Multipath TCP, the client's side and the server's.

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

While a response is read, ``response.connection.transport`` is what the functions of `subflows.aio`
take; in a handler it is ``request.transport``. The others take its ``get_extra_info("socket")``.
"""

from __future__ import annotations

import socket
from typing import Any, Optional

import aiohttp
from aiohttp import web

import subflows

__all__ = ["TCPConnector", "site"]


class TCPConnector(aiohttp.TCPConnector):
    """A connector by Multipath TCP; its own options are those of `subflows.connect`.

    A `socket_factory` is refused: this is one.
    """

    def __init__(
        self,
        *,
        control: bool = False,
        local: Optional[tuple[str, int]] = None,
        interface: Optional[str] = None,
        **kwargs: Any,
    ) -> None:
        def make(info: aiohttp.AddrInfoType) -> socket.socket:
            sock = subflows.socket(info[0])
            try:
                if interface is not None:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
                if control:
                    subflows.take_control(sock)
            except BaseException:
                sock.close()
                raise
            return sock

        if local is not None:
            kwargs["local_addr"] = local
        super().__init__(socket_factory=make, **kwargs)


def site(
    runner: web.BaseRunner,
    host: str,
    port: int,
    *,
    interface: Optional[str] = None,
    backlog: int = 4096,
    only_v6: bool = False,
    **kwargs: Any,
) -> web.SockSite:
    """As `aiohttp.web.TCPSite`, by Multipath TCP; other keywords are passed on (`ssl_context`, …).

    Plain TCP clients are served as well. It listens at once. Without a runner of one's own:
    ``web.run_app(app, sock=subflows.listen((host, port)))``.
    """
    sock = subflows.listen((host, port), interface=interface, backlog=backlog, only_v6=only_v6)
    try:
        return web.SockSite(runner, sock, backlog=backlog, **kwargs)
    except BaseException:
        sock.close()
        raise
