"""Sockets by Python's own means, and what can be done with them without any library."""

from __future__ import annotations

import errno
import os
import select
import socket

import flow
from flow import Flow
from words import Fields, Request, protocol

_FAMILIES = {"v4": socket.AF_INET, "v6": socket.AF_INET6}


def family(request: Request) -> socket.AddressFamily:
    return _FAMILIES[request.text("family")]


class Sockets:
    """The sockets of a driver, by the names that the runner gave them."""

    VERBS = (
        "tcp", "bind", "dial", "hear", "accept", "send", "receive", "pour", "poured", "drain",
        "drained", "shutdown", "drop", "adopt", "set_option", "get_option",
    )  # fmt: skip

    def __init__(self) -> None:
        self._sockets: dict[str, socket.socket] = {}
        self._poured: dict[str, Flow] = {}
        self._drained: dict[str, Flow] = {}

    def keep(self, request: Request, sock: socket.socket) -> Fields:
        """Keeps a socket under the name that the request gives it; tells its ends, where it has some."""
        before = self._sockets.pop(request.text("name"), None)
        if before is not None:
            before.close()
        self._sockets[request.text("name")] = sock
        return _ends(sock)

    def of(self, request: Request) -> socket.socket:
        """The socket that the request is about."""
        name = request.text("sock")
        if name not in self._sockets:
            raise protocol(f"no socket is called {name}")
        return self._sockets[name]

    def tcp(self, request: Request) -> Fields:
        return self.keep(request, socket.socket(family(request), socket.SOCK_STREAM))

    def adopt(self, request: Request) -> Fields:
        """Takes a descriptor that this process was started with."""
        return self.keep(request, socket.socket(fileno=os.dup(request.number("fd"))))

    def bind(self, request: Request) -> Fields:
        sock = self.of(request)
        sock.bind(request.address("to"))
        return {"local": sock.getsockname()}

    def dial(self, request: Request) -> Fields:
        sock = self.of(request)
        is_waiting = request.is_("wait", default=True)
        sock.setblocking(is_waiting)
        result = sock.connect_ex(request.address("to"))
        sock.setblocking(True)
        if result == errno.EINPROGRESS and not is_waiting:
            return {}
        if result != 0:
            raise OSError(result, os.strerror(result))
        return _ends(sock)

    def hear(self, request: Request) -> Fields:
        self.of(request).listen(128)
        return {}

    def accept(self, request: Request) -> Fields:
        listener = self.of(request)
        flow.wait(listener, select.POLLIN)
        return self.keep(request, listener.accept()[0])

    def send(self, request: Request) -> Fields:
        wanted = request.number("bytes")
        return flow.pour(self.of(request), lambda sent: wanted - sent)

    def receive(self, request: Request) -> Fields:
        return flow.drain(self.of(request), request.number("bytes"))

    def pour(self, request: Request) -> Fields:
        self._poured[request.text("sock")] = Flow.pour(self.of(request))
        return {}

    def drain(self, request: Request) -> Fields:
        self._drained[request.text("sock")] = Flow.drain(self.of(request))
        return {}

    def poured(self, request: Request) -> Fields:
        carried = _ended(self._poured, request)
        self.of(request).shutdown(socket.SHUT_WR)
        return carried

    def drained(self, request: Request) -> Fields:
        return _ended(self._drained, request)

    def shutdown(self, request: Request) -> Fields:
        is_write = request.text("how") == "write"
        self.of(request).shutdown(socket.SHUT_WR if is_write else socket.SHUT_RD)
        return {}

    def drop(self, request: Request) -> Fields:
        sock = self._sockets.pop(request.text("name"), None)
        if sock is not None:
            sock.close()
        return {}

    def set_option(self, request: Request) -> Fields:
        level, option = request.number("level"), request.number("option")
        self.of(request).setsockopt(level, option, request.number("value"))
        return {"value": request.number("value")}

    def get_option(self, request: Request) -> Fields:
        level, option = request.number("level"), request.number("option")
        return {"value": self.of(request).getsockopt(level, option)}


def _ended(flows: dict[str, Flow], request: Request) -> Fields:
    begun = flows.pop(request.text("sock"), None)
    if begun is None:
        raise protocol("nothing was begun")
    return begun.end()


def _ends(sock: socket.socket) -> Fields:
    fields = {"local": sock.getsockname()}
    try:
        fields["remote"] = sock.getpeername()
    except OSError:
        # It has no other end yet, or none any more.
        pass
    return fields
