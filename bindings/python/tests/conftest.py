"""Connections over loopback. The tests run in a network namespace of their own: see tests/suite/python."""

import gc
import os
import socket
import threading
import time

import pytest

from pair import Pair


@pytest.fixture
def alone():
    """Waits for the threads of earlier tests, which this one counts: uvloop's end when collected."""
    gc.collect()
    deadline = time.monotonic() + 10
    while len(os.listdir("/proc/self/task")) > 1:
        assert time.monotonic() < deadline, threading.enumerate()


@pytest.fixture
def pair():
    made = Pair()
    yield made
    made.close()


@pytest.fixture(params=["127.0.0.1", "::1"])
def managed(request):
    """A connection under the kernel's path manager, of each family."""
    made = Pair(request.param, control=False)
    yield made
    made.close()


@pytest.fixture
def silence():
    """An address on loopback that answers nothing: a listener whose queue is full."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        yield full.getsockname()
        for sock in waiting:
            sock.close()
