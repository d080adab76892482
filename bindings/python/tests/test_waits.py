"""Without these, a waiting program could not be interrupted, or would block its other threads."""

import os
import signal
import socket
import threading
import time

import pytest
from process import descriptors, threads, until

import subflows

AT_ONCE = 0.1


def interrupted(run) -> float:
    """Runs it until the interpreter is interrupted, and returns how long it ran after that: the shortest of three
    times, unless one was at once, because other programs use the processors too."""
    times = [interrupted_once(run)]
    while times[-1] >= AT_ONCE and len(times) < 3:
        times.append(interrupted_once(run))
    return min(times)


def interrupted_once(run) -> float:
    sent = []

    def interrupt() -> None:
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.2, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        run()
    ended = time.monotonic()
    timer.join()
    return ended - sent[0]


@pytest.fixture
def silent(pair):
    """A port of the peer's host that does not answer: a listener whose queue is full."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.9", 0))
        nobody.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(nobody.getsockname())
        yield nobody.getsockname()
        for sock in waiting:
            sock.close()


def test_an_interrupt_ends_open_at_once(pair, silent):
    before = descriptors()
    took = interrupted(lambda: subflows.open(pair.client, remote=silent, timeout=60))
    assert took < AT_ONCE
    assert [path.id for path in subflows.list(pair.client)] == [1]
    until(lambda: descriptors() == before, "a descriptor is left")
    assert pair.moves_data()


def test_an_interrupt_ends_connect_at_once(silence):
    assert interrupted(lambda: subflows.connect(silence, timeout=60)) < AT_ONCE


def test_an_interrupt_ends_the_wait_for_an_event(pair):
    with subflows.events(pair.client) as events:
        assert interrupted(lambda: next(events)) < AT_ONCE


def test_other_threads_run_during_the_wait_and_the_library_starts_none(pair, silent):
    counted = []
    over = threading.Event()

    def count() -> None:
        while not over.is_set():
            counted.append(threads())
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    with pytest.raises(TimeoutError):
        subflows.open(pair.client, remote=silent, timeout=0.3)
    over.set()
    thread.join()
    assert len(counted) > 50 and set(counted) == {2}


def test_a_wait_that_is_stepped(pair):
    opening = subflows.Opening(pair.client, local="127.0.0.2")
    while (subflow := opening.advance()) is None:
        assert 0 < opening.time_left <= 5 and opening.fileno() > 0
    assert subflow.local[0] == "127.0.0.2"
    with pytest.raises(subflows.InvalidStateError):
        opening.advance()
    opening.cancel()
    assert len(subflows.list(pair.client)) == 2


def test_an_interrupt_ends_probe_at_once(silence):
    assert interrupted(lambda: subflows.probe(silence, timeout=60)) < AT_ONCE


def test_an_interrupt_ends_doctor_at_once(silence):
    assert interrupted(lambda: subflows.doctor(remote=silence, timeout=60)) < AT_ONCE


def test_an_examination_that_is_stepped(pair):
    examining = subflows.Examining(remote=pair.listener.getsockname())
    while (found := examining.advance()) is None:
        assert 0 <= examining.time_left <= 5 and examining.fileno() > 0
    assert all(isinstance(one, subflows.Finding) for one in found)
    examining.cancel()
    with pytest.raises(ValueError):
        examining.advance()
    alone = subflows.Examining()
    assert alone.advance() == subflows.doctor()


def test_a_probe_that_is_stepped(pair):
    probing = subflows.Probing(pair.listener.getsockname(), data="?")
    while (report := probing.advance()) is None:
        assert 0 <= probing.time_left <= 5 and probing.fileno() > 0
    assert report.verdict is subflows.Verdict.MPTCP
    probing.cancel()
    with pytest.raises(ValueError):
        probing.advance()
