"""Multipath TCP for socketserver and http.server.

>>> from http.server import BaseHTTPRequestHandler
>>> import subflows
>>> from subflows.adapters.http_server import ThreadingHTTPServer
>>> with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
...     print(subflows.status(server).state.name)
LISTENING

In a handler, pass ``self.connection`` (in socketserver's handlers, ``self.request``) to `subflows.list`
and other functions. Add TLS as to any of these servers:
``server.socket = context.wrap_socket(server.socket, server_side=True)``.
"""

from __future__ import annotations

import http.server
import socket
import socketserver
from typing import Optional

import subflows

from ._options import bind_to_interface

__all__ = [
    "HTTPServer",
    "MultipathMixIn",
    "TCPServer",
    "ThreadingHTTPServer",
    "ThreadingTCPServer",
]


class MultipathMixIn(socketserver.TCPServer):
    """Makes any TCP server Multipath TCP: ``class Mine(MultipathMixIn, OtherServer)``.

    It serves plain TCP clients too. The network namespace (net.mptcp.path_manager) decides who manages
    the paths of its connections.
    """

    # A class attribute, as `allow_reuse_address` and `request_queue_size` are.
    interface: Optional[str] = None
    """Serve only clients that arrive on this interface (SO_BINDTODEVICE)."""

    def server_bind(self) -> None:
        """Replaces the socket of the constructor by a Multipath TCP socket, and binds that."""
        if self.socket_type != socket.SOCK_STREAM:
            # `socketserver.UDPServer` is a subclass of `TCPServer`.
            raise TypeError(f"{type(self).__name__} is not a TCP server")
        self.socket.close()
        self.socket = subflows.socket(self.address_family)
        bind_to_interface(self.socket, self.interface)
        super().server_bind()


class TCPServer(MultipathMixIn, socketserver.TCPServer):
    """`socketserver.TCPServer` by Multipath TCP."""


class ThreadingTCPServer(socketserver.ThreadingMixIn, TCPServer):
    """`socketserver.ThreadingTCPServer` by Multipath TCP."""


class HTTPServer(MultipathMixIn, http.server.HTTPServer):
    """`http.server.HTTPServer` by Multipath TCP."""


class ThreadingHTTPServer(MultipathMixIn, http.server.ThreadingHTTPServer):
    """`http.server.ThreadingHTTPServer` by Multipath TCP."""
