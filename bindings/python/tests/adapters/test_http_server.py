"""Without these, a server of the standard library could accept only TCP."""

import http.client
import http.server
import socket
import socketserver
import threading

import pytest
from .both_ends import joined, kernels_token

import subflows
from subflows.adapters import http_server


class Echo(socketserver.StreamRequestHandler):
    """Answers a line with the token of the connection at its own end, until there is none."""

    def handle(self) -> None:
        for _ in self.rfile:
            self.wfile.write(b"%d\n" % subflows.status(self.request).token)


def serving(server):
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    return thread


@pytest.mark.parametrize("kind", [http_server.TCPServer, http_server.ThreadingTCPServer])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_server_takes_further_subflows(kind, host):
    class Server(kind):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    with Server((host, 0), Echo) as server:
        thread = serving(server)
        with subflows.connect(server.server_address, control=True) as client:
            with client.makefile("rwb", buffering=0) as file:
                file.write(b"\n")
                there, here = int(file.readline()), subflows.status(client).token
                assert kernels_token(client.getpeername(), client.getsockname()) == there
                extra = subflows.open(client, local=host if ":" in host else "127.0.0.2")
                assert joined(there, here) == 1
                assert subflows.list(client)[1].remote == extra.remote
                file.write(b"\n")
                assert int(file.readline()) == there
        server.shutdown()
        thread.join(10)


@pytest.mark.parametrize("kind", [http_server.HTTPServer, http_server.ThreadingHTTPServer])
def test_a_plain_client_is_served_as_well(kind):
    with kind(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as server:
        thread = serving(server)
        client = http.client.HTTPConnection(*server.server_address)
        client.request("HEAD", "/")
        assert subflows.status(client.sock).state is subflows.State.TCP
        assert client.getresponse().status == 200
        client.close()
        server.shutdown()
        thread.join(10)


def test_any_server_over_socketserver_can_be_mixed():
    class Theirs(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        request_queue_size = 3

    class Mine(http_server.MultipathMixIn, Theirs):
        interface = "lo"

    with Mine(("127.0.0.1", 0), Echo) as server:
        assert subflows.status(server).state is subflows.State.LISTENING
        assert server.socket.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 1
        bound = server.socket.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16)
        assert bound.rstrip(b"\0") == b"lo"
        port = server.server_address[1]
    # The listener is closed.
    with pytest.raises(ConnectionRefusedError):
        subflows.connect(("127.0.0.1", port))


def test_an_interface_that_is_not_there_is_refused_and_nothing_is_left():
    class Server(http_server.TCPServer):
        interface = "none"

    with pytest.raises(OSError):
        Server(("127.0.0.1", 0), Echo)


def test_a_server_of_datagrams_is_refused():
    class Server(http_server.MultipathMixIn, socketserver.UDPServer):
        pass

    with pytest.raises(TypeError, match="Server"):
        Server(("127.0.0.1", 0), Echo)
