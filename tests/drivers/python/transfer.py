"""Sends and receives data, also in the background while the driver answers other requests."""

from __future__ import annotations

import errno
import os
import select
import socket
import threading
import zlib
from typing import Callable, Optional

from answer import Fields

# The block that is sent repeatedly. Its size is prime, so that misplaced data changes the checksum.
BLOCK = bytes((7 * place + (place >> 8)) & 0xFF for place in range(65_521))
# The longest wait for progress, in seconds.
PATIENCE = 15.0


def wait(sock: socket.socket, events: int) -> None:
    """Waits until the socket is ready."""
    poll = select.poll()
    poll.register(sock, events)
    if not poll.poll(PATIENCE * 1000):
        raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))


def send(sock: socket.socket, left: Callable[[int], Optional[int]]) -> Fields:
    """Sends until `left`, which is called with the bytes sent, returns 0. None is without limit."""
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


def receive(sock: socket.socket, wanted: Optional[int] = None) -> Fields:
    """Receives `wanted` bytes, or fewer if the stream ends."""
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


class Transfer:
    """Data in one direction, in the background, on a duplicate of the descriptor."""

    def __init__(self, sock: socket.socket, run: Callable[[socket.socket, Transfer], Fields]) -> None:
        self.is_ending = False
        self._sock = sock.dup()
        self._result: Fields = {}
        self._error: Optional[OSError] = None
        self._thread = threading.Thread(target=self._perform, args=(run,), daemon=True)
        self._thread.start()

    @staticmethod
    def start_sending(sock: socket.socket) -> Transfer:
        """Sends until `end` is called."""
        return Transfer(
            sock, lambda sock, self: send(sock, lambda _: 0 if self.is_ending else None)
        )

    @staticmethod
    def start_receiving(sock: socket.socket) -> Transfer:
        """Receives until the stream ends."""
        return Transfer(sock, lambda sock, _: receive(sock))

    def end(self) -> Fields:
        self.is_ending = True
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result

    def _perform(self, run: Callable[[socket.socket, Transfer], Fields]) -> None:
        with self._sock:
            try:
                self._result = run(self._sock, self)
            except OSError as error:
                self._error = error
