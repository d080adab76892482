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

The functions that do not wait (`list`, `close`, `set_backup`, …) are those of the package itself. They
take a transport or a `StreamWriter` as well as a socket.
"""

from __future__ import annotations

import asyncio
import collections
import collections.abc as _abc
import ipaddress
import itertools
import socket as _socket
import typing as _typing

from . import _native
from ._keywords import Keywords
from ._native import Event, Finding, ProbeReport, Subflow

if _typing.TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._native import _ConnectKeywords, _DoctorKeywords, _OpenKeywords, _ProbeKeywords

__all__ = [
    "Events",
    "connect",
    "doctor",
    "events",
    "open",
    "open_connection",
    "probe",
    "start_server",
]

_Result = _typing.TypeVar("_Result", covariant=True)

_CONNECT = Keywords(_native.connect)
_LISTEN = Keywords(_native.listen)
_OPEN = Keywords(_native.open)
_PROBE = Keywords(_native.probe)
_DOCTOR = Keywords(_native.doctor)

# Keywords of asyncio's that would have no effect, and what to do instead.
_NOT_CONNECTED = {
    "sock": "pass a connected socket to asyncio.open_connection",
    "all_errors": "the error of the last address is raised",
}
_OWN_LISTENER = (
    "set the option on a subflows.socket(), bind it, and pass it to asyncio.start_server as `sock`"
)
_NOT_LISTENED = {
    "sock": "pass a listener to asyncio.start_server",
    "family": "the address decides: pass \"0.0.0.0\", or \"::\" with only_v6",
    "flags": "pass an address, or None for every local address",
    "reuse_address": "it is always set",
    "reuse_port": _OWN_LISTENER,
}


class _Ready:
    """Waits until a descriptor is ready or a time has passed. Any number of tasks can wait, and again."""

    def __init__(self, fd: int, *, writable: bool = False) -> None:
        self._loop = asyncio.get_running_loop()
        self._fd = fd
        self._add = self._loop.add_writer if writable else self._loop.add_reader
        self._remove = self._loop.remove_writer if writable else self._loop.remove_reader
        self._waiting: set[asyncio.Future[None]] = set()

    def _wake(self) -> None:
        for ready in self._waiting:
            _finish(ready)

    def close(self) -> None:
        """Ends every wait. Call it before the descriptor is closed."""
        if self._waiting:
            self._remove(self._fd)
            self._wake()

    async def wait(self, timeout: float | None) -> None:
        ready: asyncio.Future[None] = self._loop.create_future()
        if not self._waiting:
            self._add(self._fd, self._wake)
        self._waiting.add(ready)
        timer = None if timeout is None else self._loop.call_later(timeout, _finish, ready)
        try:
            await ready
        finally:
            self._waiting.remove(ready)
            if not self._waiting:
                self._remove(self._fd)
            if timer is not None:
                timer.cancel()


def _finish(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


async def _resolved(
    address: _typing.Any, family: int = 0, proto: int = 0, flags: int = 0
) -> list[_typing.Any]:
    """Every address of a name. asyncio resolves names in a thread of its own."""
    try:
        host, port = address[:2]
        ipaddress.ip_address(host)
        return [address]
    except (TypeError, ValueError):
        if not isinstance(address, tuple) or len(address) not in (2, 4):
            # The native part has the words for it.
            return address  # type: ignore[no-any-return]
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(
            host, port, family=family, type=_socket.SOCK_STREAM, proto=proto, flags=flags
        )
        return [remote for *_, remote in found]


async def _connected(remotes: _typing.Any, options: _typing.Any) -> _socket.socket:
    """The first connection that is made when the addresses are tried in turn."""
    connecting = _native.Connecting(remotes, **options)
    try:
        while not connecting.advance():
            await _Ready(connecting.fileno(), writable=True).wait(connecting.time_left)
        sock = connecting.finish()
        sock.setblocking(False)
        return sock
    finally:
        # Does nothing after `finish`.
        connecting.cancel()


async def _raced(
    remotes: list[_typing.Any], delay: float, options: _typing.Any
) -> _socket.socket:
    """The first connection that is made when the next attempt begins after a failure or the delay."""
    left, failed = collections.deque(remotes), []
    running: set[asyncio.Task[_socket.socket]] = set()
    try:
        while left or running:
            if left:
                attempt = _connected([left.popleft()], options)
                running.add(asyncio.ensure_future(attempt))
            ended, _ = await asyncio.wait(
                running, timeout=delay if left else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in ended:
                running.remove(task)
                error = task.exception()
                if error is None:
                    # Of two that were made at once, the other is closed below.
                    running |= ended - {task}
                    return task.result()
                failed.append(error)
        raise failed[-1]
    finally:
        for task in running:
            task.cancel()
        for made in await asyncio.gather(*running, return_exceptions=True):
            if isinstance(made, _socket.socket):
                made.close()
        # Its errors refer to this frame.
        failed.clear()


def _interleaved(remotes: list[_typing.Any], count: int) -> list[_typing.Any]:
    """The first `count` addresses of the first family, then one of each family in turn (RFC 8305)."""
    families: dict[int, list[_typing.Any]] = {}
    for remote in remotes:
        families.setdefault(len(remote), []).append(remote)
    first, *_ = families.values()
    ahead, first[: count - 1] = first[: count - 1], []
    rounds = itertools.zip_longest(*families.values())
    return ahead + [remote for turn in rounds for remote in turn if remote is not None]


@_CONNECT.shown
async def connect(
    address: _typing.Any, **options: Unpack[_ConnectKeywords]
) -> _socket.socket:
    """Connects as `subflows.connect` does, and returns a socket in non-blocking mode.

    If the task is cancelled, the attempt ends at once.
    """
    return await _connected(await _resolved(address), options)


def _without_delay(sock: _socket.socket) -> None:
    """Turns off Nagle's algorithm, as asyncio does for TCP."""
    sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)


@_CONNECT.shown
async def open_connection(
    host: str,
    port: int,
    *,
    family: int = 0,
    proto: int = 0,
    flags: int = 0,
    local_addr: _typing.Any = None,
    happy_eyeballs_delay: float | None = None,
    interleave: int | None = None,
    **kwargs: _typing.Any,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Like `asyncio.open_connection`, by Multipath TCP.

    With `happy_eyeballs_delay`, the addresses of a name are raced: the next attempt begins after that
    many seconds, and the first connection that is made is used. `local_addr` is another name for
    `local`. The keywords that neither asyncio's connecting nor `subflows.connect` has (`ssl`, `limit`,
    …) are passed on. `sock` and `all_errors` are refused.
    """
    options = _CONNECT.take(kwargs)
    for name, instead in _NOT_CONNECTED.items():
        if name in kwargs:
            raise TypeError(f"open_connection does not take {name!r}: {instead}")
    if local_addr is not None:
        if options["local"] is not None:
            raise TypeError("local and local_addr are the same: pass one of them")
        [options["local"], *_] = await _resolved(local_addr)
    remotes = await _resolved((host, port), family, proto, flags)
    if interleave is None:
        interleave = 0 if happy_eyeballs_delay is None else 1
    if interleave and len(remotes) > 1:
        remotes = _interleaved(remotes, interleave)
    if happy_eyeballs_delay is None:
        sock = await _connected(remotes, options)
    else:
        sock = await _raced(remotes, happy_eyeballs_delay, options)
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

    Keywords that `subflows.listen` does not have (`ssl`, `limit`, …) are passed on. Those that
    asyncio uses only for sockets that it makes itself (`family`, `flags`, `sock`, `reuse_address`,
    `reuse_port`) are refused.
    """
    options = _LISTEN.take(kwargs)
    for name, instead in _NOT_LISTENED.items():
        if name in kwargs:
            raise TypeError(f"start_server does not take {name!r}: {instead}")
    keep_alive = kwargs.pop("keep_alive", None)
    sock = _native.listen((host or "", port), **options)
    try:
        # Accepted sockets inherit both from their listener.
        _without_delay(sock)
        if keep_alive:
            sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_KEEPALIVE, 1)
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
    return await _finished(_native.Opening(sock, **options))


@_PROBE.shown
async def probe(address: _typing.Any, **options: Unpack[_ProbeKeywords]) -> ProbeReport:
    """Finds out what an address offers, as `subflows.probe` does.

    If the task is cancelled, the connections of the probe are closed.
    """
    return await _finished(_native.Probing(address, **options))


@_DOCTOR.shown
async def doctor(**options: Unpack[_DoctorKeywords]) -> _typing.List[Finding]:
    """Finds out why there is no second subflow, or why TCP, as `subflows.doctor` does.

    If the task is cancelled, the connections of the examination are closed.
    """
    return await _finished(_native.Examining(**options))


class _Wait(_typing.Protocol[_Result]):
    @property
    def time_left(self) -> float: ...
    def fileno(self) -> int: ...
    def advance(self) -> _Result | None: ...
    def cancel(self) -> None: ...


async def _finished(wait: _Wait[_Result]) -> _Result:
    """The result of a wait, which is given up if the task is cancelled."""
    try:
        ready = _Ready(wait.fileno())
        while (result := wait.advance()) is None:
            await ready.wait(wait.time_left)
        return result
    finally:
        # Does nothing after a result.
        wait.cancel()


class Events:
    """A stream of events: an asynchronous iterator that ends when it is closed, and a context manager."""

    def __init__(self, stream: _native.Events) -> None:
        self._stream = stream
        self._ready = _Ready(stream.fileno())
        self._is_closed = False

    def fileno(self) -> int:
        """The descriptor that the loop polls."""
        return self._stream.fileno()

    def __aiter__(self) -> Events:
        return self

    async def __anext__(self) -> Event:
        while True:
            if self._is_closed:
                raise StopAsyncIteration
            event = self._stream.next(0)
            if event is not None:
                return event
            await self._ready.wait(None)

    def close(self) -> None:
        """Closes the stream. The iteration ends, also in tasks that wait for an event."""
        self._is_closed = True
        self._ready.close()
        self._stream.close()

    async def __aenter__(self) -> Events:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


def events(sock: _typing.Any | None = None) -> Events:
    """Follows the events of one connection, or of the whole network namespace without a socket."""
    if sock is None:
        return Events(_native.Events.of_namespace())
    return Events(_native.events(sock))
