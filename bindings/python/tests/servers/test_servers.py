"""Without these, a server that is started as usual could lose requests by Multipath TCP."""

from __future__ import annotations

import hashlib
import http.client
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading

import net
import pytest

import subflows

HERE = pathlib.Path(__file__).parent
ACTIVATE = HERE.parents[3] / "examples/python/activate.py"
REQUESTS, CLIENTS = 1000, 4
FD = ["--fd", "3"]
THREADS = ["--worker-class=gthread", "--threads=8"]

SERVERS = {
    # The default of 2 s is shorter than the pause of a connection that has lost a path.
    "gunicorn": ["gunicorn", "--keep-alive=30", "--workers=2", *THREADS, "app:wsgi"],
    "uvicorn": ["uvicorn", *FD, "--log-level=warning", "app:asgi"],
    "uvicorn with workers": ["uvicorn", *FD, "--workers=2", "--log-level=warning", "app:asgi"],
    "aiohttp": ["app"],
}


@pytest.fixture(scope="module")
def inside():
    with net.two_paths() as command:
        yield command


@pytest.fixture(params=SERVERS)
def address(request, inside):
    """The address of a server that found its listener by socket activation."""
    module, *options = SERVERS[request.param]
    command = [*inside, sys.executable, ACTIVATE, "10.0.1.1", "0", sys.executable, "-m", module, *options]
    with subprocess.Popen(
        command, cwd=HERE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as server:
        try:
            lines = []
            line = server.stderr.readline()
            reading = threading.Thread(target=lambda: lines.extend(server.stderr))
            reading.start()
            host, port = re.fullmatch(r"listening on (\S+) port (\d+)\n", line).groups()
            yield host, int(port)
        finally:
            # With its workers.
            os.killpg(server.pid, signal.SIGKILL)
            reading.join(10)
    assert not [line for line in lines if "Traceback" in line], "".join(lines)


class Connection(http.client.HTTPConnection):
    """A connection by Multipath TCP, which opens its second path after the first answer."""

    def connect(self) -> None:
        self.sock = subflows.connect((self.host, self.port), control=True, timeout=30)
        self.sock.settimeout(30)


def bodies(client: int):
    """A small body in most requests, and a large one in some."""
    for number in range(REQUESTS // CLIENTS):
        seed = f"{client} {number} ".encode()
        yield seed * (20_000 if number % 25 == 0 else 1)


def ask(connection: http.client.HTTPConnection, body: bytes) -> None:
    connection.request("POST", "/", body)
    with connection.getresponse() as response:
        answer = response.read()
    assert response.status == 200
    assert hashlib.sha256(answer).digest() == hashlib.sha256(body).digest()


def play(client: int, make, answered: list, failed: list, half: threading.Event) -> None:
    try:
        connection = make()
        for number, body in enumerate(bodies(client)):
            ask(connection, body)
            answered.append(body)
            if number == 0 and isinstance(connection, Connection):
                assert subflows.status(connection.sock).state is subflows.State.MPTCP
                subflows.open(connection.sock, interface="lte")
            if len(answered) >= REQUESTS // 2:
                half.set()
        if isinstance(connection, Connection):
            # No connection was made again.
            assert subflows.list(connection.sock)
        else:
            assert subflows.status(connection.sock).state is subflows.State.TCP
        connection.close()
    except BaseException as error:
        failed.append(error)
        half.set()
        raise


def play_all(make, at_half) -> None:
    answered, failed, half = [], [], threading.Event()
    threads = [
        threading.Thread(target=play, args=(client, make, answered, failed, half))
        for client in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    assert half.wait(120)
    at_half()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    assert not failed and len(answered) == REQUESTS


def test_a_thousand_requests_by_tcp(address):
    play_all(lambda: http.client.HTTPConnection(*address, timeout=30), lambda: None)


def test_a_thousand_requests_by_multipath_tcp_with_a_path_cut(address, inside):
    play_all(lambda: Connection(*address), lambda: net.cut(inside, "wifi"))
    net.mend(inside)
