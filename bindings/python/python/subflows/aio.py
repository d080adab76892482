"""The functions that wait, for asyncio: they run on the running loop, without a thread.

>>> import asyncio, subflows, subflows.aio
>>> async def main():
...     server = await subflows.aio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
...     reader, writer = await subflows.aio.open_connection(*server.sockets[0].getsockname())
...     print(subflows.status(writer.get_extra_info("socket")).state.name)
...     writer.close()
...     server.close()
>>> asyncio.run(main())
MPTCP

A socket may also be a transport or a `StreamWriter`. The functions that do not wait (`list`, `close`,
`set_backup`, …) are those of the package itself.
"""

from __future__ import annotations

import asyncio
import collections.abc as _abc
import ipaddress
import socket as _socket
import typing as _typing

from . import _native
from ._keywords import Keywords
from ._native import Event, Subflow

if _typing.TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._native import _ConnectKeywords, _OpenKeywords

__all__ = ["Events", "connect", "events", "open", "open_connection", "start_server"]

_CONNECT = Keywords(_native.connect)
_LISTEN = Keywords(_native.listen)
_OPEN = Keywords(_native.open)


def _fileno(sock: _typing.Any) -> int:
    """The descriptor of a socket, or of the socket of a transport."""
    extra = getattr(sock, "get_extra_info", None)
    if extra is not None:
        sock = extra("socket")
        if sock is None:
            raise ValueError("this transport has no socket")
    return sock if isinstance(sock, int) else sock.fileno()


class _Ready:
    """Waits until a descriptor is ready or a time has passed. Can wait again."""

    def __init__(self, fd: int, *, writable: bool = False) -> None:
        self._loop = asyncio.get_running_loop()
        self._fd = fd
        self._add = self._loop.add_writer if writable else self._loop.add_reader
        self._remove = self._loop.remove_writer if writable else self._loop.remove_reader

    async def wait(self, timeout: float | None) -> None:
        ready: asyncio.Future[None] = self._loop.create_future()

        def wake() -> None:
            if not ready.done():
                ready.set_result(None)

        self._add(self._fd, wake)
        timer = None if timeout is None else self._loop.call_later(timeout, wake)
        try:
            await ready
        finally:
            self._remove(self._fd)
            if timer is not None:
                timer.cancel()


async def _resolved(address: _typing.Any) -> list[_typing.Any]:
    """Every address of a name. asyncio resolves names in a thread of its own."""
    host, port = address[:2]
    try:
        ipaddress.ip_address(host)
        return [address]
    except ValueError:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=_socket.SOCK_STREAM)
        return [remote for *_, remote in found]


@_CONNECT.shown
async def connect(
    address: _typing.Any, **options: Unpack[_ConnectKeywords]
) -> _socket.socket:
    """Connects as `subflows.connect` does, and returns a socket in non-blocking mode.

    If the task is cancelled, the attempt ends at once.
    """
    connecting = _native.Connecting(await _resolved(address), **options)
    try:
        while not connecting.advance():
            await _Ready(connecting.fileno(), writable=True).wait(connecting.time_left)
        sock = connecting.finish()
        sock.setblocking(False)
        return sock
    finally:
        # Does nothing after `finish`.
        connecting.cancel()


def _without_delay(sock: _socket.socket) -> None:
    """Turns off Nagle's algorithm, as asyncio does for TCP."""
    sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)


@_CONNECT.shown
async def open_connection(
    host: str, port: int, **kwargs: _typing.Any
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Like `asyncio.open_connection`, by Multipath TCP.

    Keywords that `subflows.connect` does not have (`ssl`, `limit`, …) are passed on.
    """
    sock = await connect((host, port), **_typing.cast(_typing.Any, _CONNECT.take(kwargs)))
    try:
        _without_delay(sock)
        if kwargs.get("ssl"):
            kwargs.setdefault("server_hostname", host)
        return await asyncio.open_connection(sock=sock, **kwargs)
    except BaseException:
        sock.close()
        raise


@_LISTEN.shown
async def start_server(
    client_connected: _abc.Callable[
        [asyncio.StreamReader, asyncio.StreamWriter], _abc.Awaitable[None] | None
    ],
    host: str | None,
    port: int,
    **kwargs: _typing.Any,
) -> asyncio.Server:
    """Like `asyncio.start_server`, by Multipath TCP.

    Keywords that `subflows.listen` does not have (`ssl`, `limit`, …) are passed on.
    """
    options = _LISTEN.take(kwargs)
    sock = _native.listen((host or "", port), **options)
    try:
        # Accepted sockets inherit it from their listener.
        _without_delay(sock)
        sock.setblocking(False)
        return await asyncio.start_server(client_connected, sock=sock, backlog=options["backlog"], **kwargs)
    except BaseException:
        sock.close()
        raise


@_OPEN.shown
async def open(sock: _typing.Any, **options: Unpack[_OpenKeywords]) -> Subflow:
    """Opens one more subflow, as `subflows.open` does.

    If the task is cancelled, the half-open subflow is closed.
    """
    opening = _native.Opening(_fileno(sock), **options)
    try:
        ready = _Ready(opening.fileno())
        while (subflow := opening.advance()) is None:
            await ready.wait(opening.time_left)
        return subflow
    finally:
        # After success this leaves the subflow open.
        opening.cancel()


class Events:
    """A stream of events: an asynchronous iterator without end, and a context manager."""

    def __init__(self, stream: _native.Events) -> None:
        self._stream = stream
        self._ready = _Ready(stream.fileno())

    def __aiter__(self) -> Events:
        return self

    async def __anext__(self) -> Event:
        while (event := self._stream.next(0)) is None:
            await self._ready.wait(None)
        return event

    def close(self) -> None:
        """Closes the stream."""
        self._stream.close()

    async def __aenter__(self) -> Events:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


def events(sock: _typing.Any | None = None) -> Events:
    """Follows the events of one connection, or of the whole network namespace without a socket."""
    if sock is None:
        return Events(_native.Events.of_namespace())
    return Events(_native.events(_fileno(sock)))
