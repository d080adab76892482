"""Connections over loopback. The tests run in a network namespace of their own: see tests/suite/python."""

import gc
import socket
import threading

import pytest

from pair import Pair
from process import threads, until

import subflows


@pytest.fixture(scope="session", autouse=True)
def kept():
    """Makes the library open the netlink sockets that it keeps from their first use on, so that no test counts them."""
    made = Pair()
    extra = subflows.open(made.client, local="127.0.0.2")
    subflows.close(made.client, extra.id)
    made.close()


@pytest.fixture
def alone():
    """Waits for the threads of earlier tests, which this one counts: uvloop's end when collected."""
    gc.collect()
    until(lambda: threads() == 1, f"other threads run: {threading.enumerate()}")


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
