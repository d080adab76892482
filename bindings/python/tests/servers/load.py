"""A thousand requests to a server, by TCP and by Multipath TCP, with a path cut midway."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import net

import subflows

HERE = pathlib.Path(__file__).parent
EXAMPLES = HERE.parents[3] / "examples"
ACTIVATE = EXAMPLES / "python/activate.py"
REQUESTS, CLIENTS = 1000, 4


@contextlib.contextmanager
def running(command: list, ignore: str = "$^", **variables: str) -> Iterator[tuple[str, int]]:
    """Starts a server, which prints its address first, and ends it with its workers. It must report no error
    but those that contain `ignore`."""
    with subprocess.Popen(
        command, cwd=HERE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env=os.environ | variables,
    ) as server:
        lines: list[str] = []
        reading = None
        try:
            line = server.stderr.readline()
            reading = threading.Thread(target=lambda: lines.extend(server.stderr))
            reading.start()
            found = re.fullmatch(r"listening on (\S+) port (\d+)\n", line)
            assert found, line
            yield found[1], int(found[2])
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            if reading is not None:
                reading.join(10)
    errors = [line for line in lines if re.search("Traceback|panic|emerg|Error:", line)]
    assert all(re.search(ignore, line) for line in errors), "".join(lines)


def activated(inside: list[str], *command: object, port: int = 0, **rest):
    """Starts a server that finds its listener by socket activation, at the other end of the paths."""
    activate = [*inside, sys.executable, ACTIVATE, "10.0.1.1", str(port)]
    return running([*activate, *command], **rest)


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


def play(client: int, make, ask, answered: list, failed: list, half: threading.Event, opened: threading.Barrier) -> None:
    try:
        connection = make()
        for number, body in enumerate(bodies(client)):
            ask(connection, body)
            answered.append(body)
            if number == 0 and isinstance(connection, Connection):
                assert subflows.status(connection.sock).state is subflows.State.MPTCP
                subflows.open(connection.sock, interface="lte")
            if number == 0:
                # No path is cut before every client has its second one.
                opened.wait(60)
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
        opened.abort()
        raise


def play_all(make: Callable, at_half: Callable, ask: Callable = ask) -> None:
    answered, failed, half, opened = [], [], threading.Event(), threading.Barrier(CLIENTS)
    threads = [
        threading.Thread(target=play, args=(client, make, ask, answered, failed, half, opened))
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


def by_tcp(address: tuple[str, int], ask: Callable = ask) -> None:
    play_all(lambda: http.client.HTTPConnection(*address, timeout=30), lambda: None, ask)


def by_multipath_tcp(address: tuple[str, int], inside: list[str], ask: Callable = ask) -> None:
    """The path of the initial subflow is cut after half of the requests."""
    try:
        play_all(lambda: Connection(*address), lambda: net.cut(inside, "wifi"), ask)
    finally:
        net.mend(inside)
