"""The verbs that wait, for asyncio: they step core's waits on the running loop, and start no thread.

>>> import asyncio, subflows, subflows.aio
>>> async def main():
...     server = await subflows.aio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
...     reader, writer = await subflows.aio.open_connection(*server.sockets[0].getsockname())
...     print(subflows.status(writer.get_extra_info("socket")).state.name)
...     writer.close()
...     server.close()
>>> asyncio.run(main())
MPTCP

Where a socket is asked for, a transport or a `StreamWriter` will do as well. Verbs that do not wait (`list`,
`close`, `set_backup`, …) are those of the package itself.
"""

from __future__ import annotations

import asyncio
import collections.abc as _abc
import ipaddress
import socket as _socket
import typing as _typing

from . import _native
from ._native import Event, Subflow

__all__ = ["Events", "connect", "events", "open", "open_connection", "start_server"]


def _fileno(sock: _typing.Any) -> int:
    """The descriptor of a socket, or of what carries one."""
    extra = getattr(sock, "get_extra_info", None)
    if extra is not None:
        sock = extra("socket")
        if sock is None:
            raise ValueError("this transport has no socket")
    return sock if isinstance(sock, int) else sock.fileno()


class _Ready:
    """Waits until a descriptor is ready or a time has passed, again and again."""

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
    """Every address that a name has; asyncio asks for names in a thread of its own."""
    host, port = address[:2]
    try:
        ipaddress.ip_address(host)
        return [address]
    except ValueError:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=_socket.SOCK_STREAM)
        return [remote for *_, remote in found]


async def connect(
    address: _typing.Any,
    *,
    local: _typing.Any = None,
    interface: str | None = None,
    timeout: float | None = None,
    control: bool = False,
) -> _socket.socket:
    """Connects as `subflows.connect` does, and gives a socket in non-blocking mode.

    Each address that a name has is tried in turn, with the whole timeout each. Cancelled, the attempt is
    given up at once.
    """
    connecting = _native.Connecting(
        await _resolved(address),
        local=local,
        interface=interface,
        timeout=timeout,
        control=control,
    )
    try:
        while not connecting.advance():
            await _Ready(connecting.fileno(), writable=True).wait(connecting.time_left)
        sock = connecting.finish()
        sock.setblocking(False)
        return sock
    finally:
        # Does nothing if it is finished.
        connecting.cancel()


def _without_delay(sock: _socket.socket) -> None:
    """Switches Nagle's algorithm off, as asyncio does for what it takes for TCP."""
    sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)


async def open_connection(
    host: str,
    port: int,
    *,
    local: _typing.Any = None,
    interface: str | None = None,
    timeout: float | None = None,
    control: bool = False,
    **kwargs: _typing.Any,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """As `asyncio.open_connection`, by Multipath TCP; other keywords are passed on (`ssl`, `limit`, …)."""
    sock = await connect(
        (host, port), local=local, interface=interface, timeout=timeout, control=control
    )
    try:
        _without_delay(sock)
        if kwargs.get("ssl"):
            kwargs.setdefault("server_hostname", host)
        return await asyncio.open_connection(sock=sock, **kwargs)
    except BaseException:
        sock.close()
        raise


async def start_server(
    client_connected: _abc.Callable[
        [asyncio.StreamReader, asyncio.StreamWriter], _abc.Awaitable[None] | None
    ],
    host: str,
    port: int,
    *,
    interface: str | None = None,
    backlog: int = 4096,
    only_v6: bool = False,
    **kwargs: _typing.Any,
) -> asyncio.Server:
    """As `asyncio.start_server`, by Multipath TCP; other keywords are passed on (`ssl`, `limit`, …)."""
    sock = _native.listen((host, port), interface=interface, backlog=backlog, only_v6=only_v6)
    try:
        # Those that it accepts have it from their listener.
        _without_delay(sock)
        sock.setblocking(False)
        return await asyncio.start_server(client_connected, sock=sock, backlog=backlog, **kwargs)
    except BaseException:
        sock.close()
        raise


async def open(sock: _typing.Any, **options: _typing.Any) -> Subflow:
    """Opens one more subflow, as `subflows.open` does with the same options.

    Cancelled, or timed out, nothing is left of the attempt.
    """
    opening = _native.Opening(_fileno(sock), **options)
    try:
        ready = _Ready(opening.fileno())
        while (subflow := opening.advance()) is None:
            await ready.wait(opening.time_left)
        return subflow
    finally:
        # Where it is done, this leaves the subflow alone.
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
    """Follows what happens to one connection, or to all of the network namespace without one."""
    if sock is None:
        return Events(_native.Events.of_namespace())
    return Events(_native.events(_fileno(sock)))
