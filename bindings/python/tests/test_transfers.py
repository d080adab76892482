"""Without these, Python's own calls that move files could lose or damage data when a path is cut midway."""

import asyncio
import hashlib
import random
import socket
import subprocess
import tempfile
import threading

import pytest

import subflows

# More than the buffers of both ends hold when half of it has arrived.
SIZE = 32 << 20
DATA = random.Random(3).randbytes(SIZE)
SUM = hashlib.sha256(DATA).digest()

RULES = """
add table inet cut
add chain inet cut arriving {{ type filter hook prerouting priority -300; }}
add rule inet cut arriving tcp sport {port} drop
add rule inet cut arriving tcp dport {port} drop
"""


def cut(sock: socket.socket) -> None:
    """The busier of the two paths loses every packet from now on, in both directions."""
    busiest = max(subflows.list(sock), key=lambda path: path.bytes_received)
    rules = RULES.format(port=busiest.remote[1])
    subprocess.run(["nft", "--file", "-"], input=rules, text=True, check=True)


@pytest.fixture
def ends(pair):
    """A connection of two subflows, of which `receive` cuts one when it has half of the data."""
    subflows.open(pair.client)
    for end in (pair.client, pair.server):
        end.settimeout(30)
    yield pair.client, pair.server
    subprocess.run(["nft", "delete", "table", "inet", "cut"], check=False)


@pytest.fixture
def file():
    with tempfile.TemporaryFile() as opened:
        opened.write(DATA)
        opened.seek(0)
        yield opened


def receive(sock: socket.socket, read=None) -> bytes:
    """The checksum of what arrives."""
    digest, received, is_cut = hashlib.sha256(), 0, False
    while chunk := (read or sock.recv)(1 << 16):
        digest.update(chunk)
        received += len(chunk)
        if received >= SIZE // 2 and not is_cut:
            cut(sock)
            is_cut = True
    assert is_cut and received == SIZE
    return digest.digest()


class Sending(threading.Thread):
    """Sends in another thread, then ends that direction."""

    def __init__(self, sock: socket.socket, send) -> None:
        super().__init__()
        self.sock, self.send, self.error = sock, send, None

    def run(self) -> None:
        try:
            self.send()
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.error = error

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_) -> None:
        self.join(30)
        assert not self.is_alive() and self.error is None, self.error


def test_socket_sendfile(ends, file):
    client, server = ends
    with Sending(client, lambda: client.sendfile(file)):
        assert receive(server) == SUM


def test_makefile_in_both_roles(ends):
    client, server = ends

    def send():
        with client.makefile("wb") as out:
            out.write(DATA)

    with Sending(client, send), server.makefile("rb") as into:
        assert receive(server, into.read) == SUM


def test_recv_into_and_sendmsg(ends):
    client, server = ends
    buffer = bytearray(1 << 16)

    def read(size):
        return bytes(buffer[: server.recv_into(buffer, size)])

    def send():
        left = memoryview(DATA)
        while left:
            left = left[client.sendmsg([left[:1000], left[1000:50_000]]) :]

    with Sending(client, send):
        assert receive(server, read) == SUM


def test_send_fds_while_data_arrive(ends):
    client, server = ends
    here, there = socket.socketpair()
    with here, there, Sending(client, lambda: client.sendall(DATA)):
        socket.send_fds(here, [b"!"], [server.fileno()])
        _, fds, _, _ = socket.recv_fds(there, 1, 1)
        with socket.socket(fileno=fds[0]) as passed:
            passed.settimeout(30)
            assert receive(passed) == SUM


def test_the_event_loops_sendfile(ends, file):
    client, server = ends

    async def send():
        client.setblocking(False)
        await asyncio.get_running_loop().sock_sendfile(client, file)

    with Sending(client, lambda: asyncio.run(send())):
        assert receive(server) == SUM
