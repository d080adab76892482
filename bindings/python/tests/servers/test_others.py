"""Without these, the examples of servers in other languages could not be started as GUIDE.md describes."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import sys
import threading

import load
import pytest

import subflows

SERVERS = load.EXAMPLES / "servers"
SMALL, LARGE = b"a small file\n", random.Random(5).randbytes(200_000)


def needs(program: str) -> str:
    return shutil.which(program) or pytest.skip(f"{program} is not installed")


@pytest.fixture
def go(inside, tmp_path):
    program = tmp_path / "server"
    subprocess.run([needs("go"), "build", "-o", program, SERVERS / "server.go"], check=True)
    with load.activated(inside, program) as address:
        yield address


@pytest.fixture
def node(inside):
    with load.activated(inside, needs("node"), SERVERS / "server.mjs") as address:
        yield address


# What nginx otherwise puts into a folder of the system, of another user: this user namespace has root only.
HERE = "".join(f"{name}_temp_path .; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))


@pytest.fixture
def nginx(inside, tmp_path):
    """Its address is in its configuration."""
    port = 8080
    text = (SERVERS / "nginx.conf").read_text()
    changes = {"0.0.0.0:8080;": f"10.0.1.1:{port};", "access_log off;": f"access_log off; {HERE}"}
    for shown, changed in changes.items():
        assert text.count(shown) == 1
        text = text.replace(shown, changed)
    (tmp_path / "nginx.conf").write_text(text)
    (tmp_path / "small").write_bytes(SMALL)
    (tmp_path / "large").write_bytes(LARGE)
    command = [needs("nginx"), "-p", tmp_path, "-c", tmp_path / "nginx.conf", "-g", "user root;"]
    # It reports that it cannot drop the groups of root, and goes on.
    with load.activated(inside, *command, port=port, ignore="initgroups", NGINX="3;") as address:
        yield address


def fetch(connection, body: bytes) -> None:
    """Asks for a file that is about as large as the body that other servers send back."""
    name, content = ("/large", LARGE) if len(body) > 1000 else ("/small", SMALL)
    connection.request("GET", name)
    with connection.getresponse() as response:
        assert (response.status, response.read() == content) == (200, True)


@pytest.mark.parametrize("name", ["nginx", "go", "node"])
def test_a_thousand_requests(name, request, inside):
    address = request.getfixturevalue(name)
    ask = fetch if name == "nginx" else load.ask
    load.by_tcp(address, ask)
    load.by_multipath_tcp(address, inside, ask)


def test_prefork(inside):
    """Processes that share a listener, and wake up for the same client, serve all clients."""
    command = [*inside, sys.executable, SERVERS / "prefork.py", "10.0.1.1", "0", "4"]
    failed = []

    def talk(address, number):
        try:
            with subflows.connect(address, timeout=30) as sock, sock.makefile("rwb") as stream:
                sock.settimeout(30)
                for line in (f"{number} {count}\n".encode() for count in range(10)):
                    stream.write(line)
                    stream.flush()
                    assert stream.readline() == line
                sock.shutdown(socket.SHUT_WR)
        except BaseException as error:
            failed.append(error)

    with load.running(command) as address:
        for _ in range(10):
            clients = [threading.Thread(target=talk, args=(address, number)) for number in range(20)]
            for client in clients:
                client.start()
            for client in clients:
                client.join(60)
    assert not failed
