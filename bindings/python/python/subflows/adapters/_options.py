"""The keywords that every client adapter takes for `subflows.connect`."""

from __future__ import annotations

import socket
from typing import Optional

import subflows

from .._keywords import Keywords

# Each library has a timeout of its own.
CONNECT = Keywords(subflows.connect, without=["timeout"])


def bind_to_interface(sock: socket.socket, interface: Optional[str]) -> None:
    """Binds a socket that was made by `subflows.socket` to an interface, if one is given."""
    if interface is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())

