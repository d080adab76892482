"""socketserver and http.server by Multipath TCP.

>>> from http.server import BaseHTTPRequestHandler
>>> import subflows
>>> from subflows.adapters.http_server import ThreadingHTTPServer
>>> with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
...     print(subflows.status(server).state.name)
LISTENING

In a handler, ``self.connection`` (of socketserver's: ``self.request``) is what `subflows.list` and
the others take. TLS is added as to any of these servers:
``server.socket = context.wrap_socket(server.socket, server_side=True)``.
"""

from __future__ import annotations

import http.server
import socket
import socketserver
from typing import Optional

import subflows

__all__ = [
    "HTTPServer",
    "MultipathMixIn",
    "TCPServer",
    "ThreadingHTTPServer",
    "ThreadingTCPServer",
]


class MultipathMixIn(socketserver.TCPServer):
    """Makes any TCP server Multipath TCP: ``class Mine(MultipathMixIn, Theirs)``.

    Plain TCP clients are served as well. Who manages the paths of the connections, the network
    namespace decides: net.mptcp.path_manager.
    """

    # As others do on class level here: `allow_reuse_address`, `request_queue_size`.
    interface: Optional[str] = None
    """Serve only what comes in by this interface (SO_BINDTODEVICE)."""

    def server_bind(self) -> None:
        """Binds a socket of Multipath TCP in the place of the one that the constructor made."""
        if self.socket_type != socket.SOCK_STREAM:
            # `socketserver.UDPServer` is one of `TCPServer`.
            raise TypeError(f"{type(self).__name__} serves no streams")
        self.socket.close()
        self.socket = subflows.socket(self.address_family)
        if self.interface is not None:
            self.socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self.interface.encode()
            )
        super().server_bind()


class TCPServer(MultipathMixIn, socketserver.TCPServer):
    """`socketserver.TCPServer` by Multipath TCP."""


class ThreadingTCPServer(socketserver.ThreadingMixIn, TCPServer):
    """`socketserver.ThreadingTCPServer` by Multipath TCP."""


class HTTPServer(MultipathMixIn, http.server.HTTPServer):
    """`http.server.HTTPServer` by Multipath TCP."""


class ThreadingHTTPServer(MultipathMixIn, http.server.ThreadingHTTPServer):
    """`http.server.ThreadingHTTPServer` by Multipath TCP."""
