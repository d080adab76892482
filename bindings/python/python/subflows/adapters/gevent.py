"""The functions that wait, for gevent: other greenlets run during the wait.

>>> import gevent, subflows
>>> from subflows.adapters.gevent import connect
>>> with subflows.listen(("127.0.0.1", 0)) as listener:
...     sock = gevent.spawn(connect, listener.getsockname()).get()
...     print(subflows.status(sock).state.name)
...     sock.close()
MPTCP

`subflows.connect`, `subflows.open` and `subflows.events` wait in the kernel, which stops gevent's hub, also
after ``gevent.monkey.patch_all()``. The functions here wait in the hub. A greenlet that is killed, or whose
`gevent.Timeout` expires, leaves nothing behind. The functions that do not wait (`subflows.list`,
`subflows.close`, …) are those of the package itself.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Optional

import gevent.event
import gevent.socket
from gevent.hub import get_hub

import subflows

from .._keywords import Keywords

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._native import Event, Subflow, _ConnectKeywords, _OpenKeywords

__all__ = ["Events", "connect", "events", "open"]

_CONNECT = Keywords(subflows.connect)
_OPEN = Keywords(subflows.open)
_READ, _WRITE = 1, 2


def _wait(fd: int, kind: int, timeout: Optional[float], ready: gevent.event.Event) -> None:
    """Waits until the descriptor or the event is ready, or the time has passed."""
    watcher = get_hub().loop.io(fd, kind)
    try:
        watcher.start(ready.set)
        ready.wait(timeout)
    finally:
        watcher.stop()
        watcher.close()


def _remotes(address: Any) -> list[Any]:
    """Every address of a name, by gevent's resolver."""
    if not isinstance(address, tuple) or len(address) != 2:
        return [address] if isinstance(address, tuple) else address
    found = gevent.socket.getaddrinfo(*address, type=gevent.socket.SOCK_STREAM)
    return [remote for *_, remote in found]


@_CONNECT.shown
def connect(address: Any, **options: Unpack[_ConnectKeywords]) -> gevent.socket.socket:
    """Connects as `subflows.connect` does, and returns a socket of gevent."""
    connecting = subflows.Connecting(_remotes(address), **options)
    try:
        while not connecting.advance():
            _wait(connecting.fileno(), _WRITE, connecting.time_left, gevent.event.Event())
        made = connecting.finish()
        return gevent.socket.socket(made.family, made.type, made.proto, made.detach())
    finally:
        # Does nothing after `finish`.
        connecting.cancel()


@_OPEN.shown
def open(sock: Any, **options: Unpack[_OpenKeywords]) -> Subflow:
    """Opens one more subflow, as `subflows.open` does."""
    opening = subflows.Opening(sock, **options)
    try:
        while (subflow := opening.advance()) is None:
            _wait(opening.fileno(), _READ, opening.time_left, gevent.event.Event())
        return subflow
    finally:
        # After success this leaves the subflow open.
        opening.cancel()


class Events:
    """A stream of events: an iterator that ends when it is closed, and a context manager."""

    def __init__(self, stream: subflows.Events) -> None:
        self._stream = stream
        self._waiting: set[gevent.event.Event] = set()
        self._is_closed = False

    def fileno(self) -> int:
        """The descriptor that the hub polls."""
        return self._stream.fileno()

    def next(self, timeout: Optional[float] = None) -> Optional[Event]:
        """Returns the next event, or None if `timeout` seconds pass without one.

        Raises ValueError if the stream is closed, also by another greenlet during the wait.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while (event := self._stream.next(0)) is None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return None
            ready = gevent.event.Event()
            self._waiting.add(ready)
            try:
                _wait(self._stream.fileno(), _READ, left, ready)
            finally:
                self._waiting.remove(ready)
        return event

    def close(self) -> None:
        """Closes the stream. Waits in other greenlets end."""
        self._is_closed = True
        for ready in self._waiting:
            ready.set()
        self._stream.close()

    def __iter__(self) -> Events:
        return self

    def __next__(self) -> Event:
        try:
            event = self.next()
        except ValueError:
            if not self._is_closed:
                raise
            raise StopIteration from None
        assert event is not None, "without a timeout it waits"
        return event

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def events(sock: Optional[Any] = None) -> Events:
    """Follows the events of one connection, or of the whole network namespace without a socket."""
    return Events(subflows.Events.of_namespace() if sock is None else subflows.events(sock))
