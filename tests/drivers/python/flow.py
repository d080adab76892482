"""Data, also such that go on in the background while the runner asks for other things."""

from __future__ import annotations

import errno
import os
import select
import socket
import threading
import zlib
from typing import Callable, Optional

from words import Fields

# What is sent, again and again: a prime number of bytes, so that nothing that went astray fits.
BLOCK = bytes((7 * place + (place >> 8)) & 0xFF for place in range(65_521))
# Nothing waits longer than this for progress.
PATIENCE = 15.0


def wait(sock: socket.socket, for_what: int) -> None:
    """Waits until the socket is ready."""
    poll = select.poll()
    poll.register(sock, for_what)
    if not poll.poll(PATIENCE * 1000):
        raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))


def pour(sock: socket.socket, left: Callable[[int], Optional[int]]) -> Fields:
    """Sends block after block, until none is left after so many bytes; None is without end."""
    sent, crc32 = 0, 0
    while (rest := left(sent)) != 0:
        place = sent % len(BLOCK)
        part = memoryview(BLOCK)[place : None if rest is None else place + rest]
        try:
            length = sock.send(part, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except BlockingIOError:
            wait(sock, select.POLLOUT)
        else:
            crc32 = zlib.crc32(part[:length], crc32)
            sent += length
    return {"bytes": sent, "crc32": crc32}


def drain(sock: socket.socket, wanted: Optional[int] = None) -> Fields:
    """Receives so much, or everything."""
    received, crc32 = 0, 0
    while wanted is None or received < wanted:
        room = len(BLOCK) if wanted is None else min(len(BLOCK), wanted - received)
        try:
            part = sock.recv(room, socket.MSG_DONTWAIT)
        except BlockingIOError:
            wait(sock, select.POLLIN)
        else:
            if not part:
                break
            crc32 = zlib.crc32(part, crc32)
            received += len(part)
    return {"bytes": received, "crc32": crc32}


class Flow:
    """Data on their way in one direction, on a descriptor of their own."""

    def __init__(self, sock: socket.socket, run: Callable[[socket.socket, Flow], Fields]) -> None:
        self.is_ending = False
        self._sock = sock.dup()
        self._result: Fields = {}
        self._error: Optional[OSError] = None
        self._thread = threading.Thread(target=self._perform, args=(run,), daemon=True)
        self._thread.start()

    @staticmethod
    def pour(sock: socket.socket) -> Flow:
        """Sends until it is told to end."""
        return Flow(sock, lambda sock, flow: pour(sock, lambda _: 0 if flow.is_ending else None))

    @staticmethod
    def drain(sock: socket.socket) -> Flow:
        """Receives until there is no more."""
        return Flow(sock, lambda sock, _: drain(sock))

    def end(self) -> Fields:
        self.is_ending = True
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result

    def _perform(self, run: Callable[[socket.socket, Flow], Fields]) -> None:
        with self._sock:
            try:
                self._result = run(self._sock, self)
            except OSError as error:
                self._error = error
