"""The keywords that every client adapter takes for `subflows.connect`."""

from __future__ import annotations

import re
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



def require(name: str, found: str, oldest: tuple[int, int]) -> None:
    """Raises ImportError if a library is older than an adapter needs."""
    if tuple(int(part) for part in re.findall(r"\d+", found)[:2]) < oldest:
        version = ".".join(map(str, oldest))
        raise ImportError(
            f"subflows.adapters needs {name} {version} or newer, and this is {name} {found}: "
            f"pip install '{name}>={version}'"
        )
