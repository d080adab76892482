"""Servers that report the connection of each request."""

import dataclasses
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler

import pytest
import trustme
from .both_ends import BODY

import subflows
from subflows.adapters.http_server import ThreadingHTTPServer

@dataclasses.dataclass
class Certificates:
    """A TLS context for each side, and the certificate authority as a file."""

    server: ssl.SSLContext
    client: ssl.SSLContext
    authority: str


@pytest.fixture(autouse=True)
def alone():
    """No test here counts threads, because some libraries keep theirs."""


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1", "::1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return Certificates(server, client, str(path))


class Handler(BaseHTTPRequestHandler):
    """Sends `BODY`, and in a header the token of the connection at its own end."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b"short" if self.path == "/short" else b"" if self.path == "/empty" else BODY
        status = subflows.status(self.connection)
        self.send_response(200)
        self.send_header("Token", str(status.token))
        self.send_header("Content-Length", str(len(body)))
        try:
            # In one segment with the headers.
            self._headers_buffer.append(b"\r\n" + body)
            self.flush_headers()
        except OSError:
            # A test may close the connection early.
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Prints nothing about clients that close early or do not trust it."""

    def handle_error(self, request, client_address) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


@dataclasses.dataclass
class Served:
    """A server, and how a client reaches it."""

    url: str
    address: tuple


@pytest.fixture(params=["http", "https"])
def served(request, certificates):
    """The server of the adapters, plain and with TLS."""
    tls = request.param == "https"
    with Server(("127.0.0.1", 0), Handler) as server:
        if tls:
            server.socket = certificates.server.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        host, port = server.server_address
        yield Served(f"{request.param}://{host}:{port}/", (host, port))
        server.shutdown()
        thread.join(10)
