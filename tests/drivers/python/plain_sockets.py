"""Python's own sockets, without the library."""

from __future__ import annotations

import errno
import os
import select
import socket

import transfer
from answer import Fields, protocol
from request import Request, flag
from transfer import Transfer

_FAMILIES = {"v4": socket.AF_INET, "v6": socket.AF_INET6}


def family(text: str) -> socket.AddressFamily:
    return _FAMILIES[text]


class PlainSockets:
    """The sockets of a driver, by the names that the runner gives them."""

    def __init__(self) -> None:
        self._sockets: dict[str, socket.socket] = {}
        self._sending: dict[str, Transfer] = {}
        self._receiving: dict[str, Transfer] = {}
        self.verbs = {
            "plain.socket": self._make,
            "plain.take_fd": self._take_fd,
            "plain.bind": self._bind,
            "plain.connect": self._connect,
            "plain.listen": self._listen,
            "plain.accept": self._accept,
            "plain.send": self._send,
            "plain.receive": self._receive,
            "plain.start_sending": self._start_sending,
            "plain.stop_sending": self._stop_sending,
            "plain.start_receiving": self._start_receiving,
            "plain.finish_receiving": self._finish_receiving,
            "plain.shutdown": self._shutdown,
            "plain.close": self._close,
            "plain.setsockopt": self._setsockopt,
            "plain.getsockopt": self._getsockopt,
        }

    def keep(self, request: Request, sock: socket.socket) -> Fields:
        """Keeps a socket under the name that the request gives it, and returns its ends."""
        before = self._sockets.pop(request.text("name"), None)
        if before is not None:
            before.close()
        self._sockets[request.text("name")] = sock
        return _ends(sock)

    def of(self, request: Request) -> socket.socket:
        """The socket that the request names."""
        name = request.text("sock")
        if name not in self._sockets:
            raise protocol(f"no socket has the name {name}")
        return self._sockets[name]

    def close_all(self) -> None:
        for sock in self._sockets.values():
            sock.close()
        for names in (self._sockets, self._sending, self._receiving):
            names.clear()

    def _make(self, request: Request) -> Fields:
        made = socket.socket(family(request.text("family")), socket.SOCK_STREAM)
        return self.keep(request, made)

    def _take_fd(self, request: Request) -> Fields:
        """Takes a descriptor that this process inherited."""
        return self.keep(request, socket.socket(fileno=os.dup(request.number("fd"))))

    def _bind(self, request: Request) -> Fields:
        sock = self.of(request)
        sock.bind(request.socket_address("to"))
        return {"local": sock.getsockname()}

    def _connect(self, request: Request) -> Fields:
        sock = self.of(request)
        is_waiting = flag(request.values.get("wait", "true"))
        sock.setblocking(is_waiting)
        result = sock.connect_ex(request.socket_address("to"))
        sock.setblocking(True)
        if result == errno.EINPROGRESS and not is_waiting:
            return {}
        if result != 0:
            raise OSError(result, os.strerror(result))
        return _ends(sock)

    def _listen(self, request: Request) -> Fields:
        self.of(request).listen(128)
        return {}

    def _accept(self, request: Request) -> Fields:
        listener = self.of(request)
        transfer.wait(listener, select.POLLIN)
        return self.keep(request, listener.accept()[0])

    def _send(self, request: Request) -> Fields:
        wanted = request.number("bytes")
        return transfer.send(self.of(request), lambda sent: wanted - sent)

    def _receive(self, request: Request) -> Fields:
        return transfer.receive(self.of(request), request.number("bytes"))

    def _start_sending(self, request: Request) -> Fields:
        self._sending[request.text("sock")] = Transfer.start_sending(self.of(request))
        return {}

    def _stop_sending(self, request: Request) -> Fields:
        sent = _end(self._sending, request)
        self.of(request).shutdown(socket.SHUT_WR)
        return sent

    def _start_receiving(self, request: Request) -> Fields:
        self._receiving[request.text("sock")] = Transfer.start_receiving(self.of(request))
        return {}

    def _finish_receiving(self, request: Request) -> Fields:
        return _end(self._receiving, request)

    def _shutdown(self, request: Request) -> Fields:
        is_write = request.text("how") == "write"
        self.of(request).shutdown(socket.SHUT_WR if is_write else socket.SHUT_RD)
        return {}

    def _close(self, request: Request) -> Fields:
        sock = self._sockets.pop(request.text("name"), None)
        if sock is not None:
            sock.close()
        return {}

    def _setsockopt(self, request: Request) -> Fields:
        level, option = request.number("level"), request.number("option")
        self.of(request).setsockopt(level, option, request.number("value"))
        return {"value": request.number("value")}

    def _getsockopt(self, request: Request) -> Fields:
        level, option = request.number("level"), request.number("option")
        return {"value": self.of(request).getsockopt(level, option)}


def _end(transfers: dict[str, Transfer], request: Request) -> Fields:
    found = transfers.pop(request.text("sock"), None)
    if found is None:
        raise protocol("no transfer was started on this socket")
    return found.end()


def _ends(sock: socket.socket) -> Fields:
    fields = {"local": sock.getsockname()}
    try:
        fields["remote"] = sock.getpeername()
    except OSError:
        # The socket is not connected, or no longer.
        pass
    return fields
