"""Without these, a program that forks, threads, is interrupted or ends in the middle is harmed."""

import concurrent.futures
import gc
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from multiprocessing import resource_sharer
from pathlib import Path

import pytest
from pair import Pair
from process import descriptors, netlinks, threads, until

import subflows

AT_ONCE = 0.1

pytestmark = pytest.mark.usefixtures("alone")


def is_pending(sock) -> bool:
    return any(path.state == subflows.SubflowState.SYN_SENT for path in subflows.list(sock))


@pytest.fixture
def silent(silence):
    """An address that does not answer. The calling thread has its netlink sockets from here on."""
    warm = Pair()
    extra = subflows.open(warm.client, local="127.0.0.2")
    subflows.close(warm.client, extra.id)
    warm.close()
    return silence


@pytest.fixture
def roomy():
    """A connection whose peer sets no limit, because an application controls that end too."""
    manager = Path("/proc/sys/net/mptcp/pm_type")
    default = manager.read_text()
    manager.write_text("1")
    try:
        made = Pair()
    finally:
        manager.write_text(default)
    yield made
    made.close()


def by_interrupt(sock) -> None:
    os.kill(os.getpid(), signal.SIGINT)


def by_closing(sock) -> None:
    sock.close()


@pytest.mark.parametrize(
    "end, raised",
    [(by_interrupt, KeyboardInterrupt), (by_closing, subflows.ClosedError)],
)
@pytest.mark.parametrize("kind", ["open", "opening"])
def test_a_blocked_open_is_ended_at_once(pair, silent, kind, end, raised):
    before, tasks = descriptors(), threads()
    told = []

    def once_it_waits() -> None:
        until(lambda: is_pending(pair.client), "open does not wait")
        told.append(threads())
        told.append(time.monotonic())
        end(pair.client)

    def wait() -> None:
        if kind == "open":
            subflows.open(pair.client, remote=silent, timeout=60)
        opening = subflows.Opening(pair.client, remote=silent, timeout=60)
        try:
            while opening.advance() is None:
                pass
        finally:
            opening.cancel()

    ender = threading.Thread(target=once_it_waits)
    ender.start()
    with pytest.raises(raised):
        wait()
    took = time.monotonic() - told[1]
    ender.join()
    assert took < AT_ONCE
    assert told[0] == tasks + 1, "the library started a thread"
    until(lambda: threads() == tasks, "a thread is left")
    if end is by_closing:
        assert pair.server.recv(1) == b"", "the connection outlives its socket"
        until(lambda: descriptors() == before - 1, "a descriptor is left")
    else:
        until(lambda: descriptors() == before, "a descriptor is left")
        assert [path.id for path in subflows.list(pair.client)] == [1]
        assert pair.moves_data()


def test_a_timeout_ends_a_blocked_open_in_time(pair, silent):
    before, tasks = descriptors(), threads()
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        subflows.open(pair.client, remote=silent, timeout=0.3)
    assert 0.3 <= time.monotonic() - start < 0.3 + AT_ONCE
    assert (descriptors(), threads()) == (before, tasks)
    assert [path.id for path in subflows.list(pair.client)] == [1]
    assert pair.moves_data()


def test_a_closed_socket_is_reported_also_if_its_number_is_reused(pair, silent):
    """If the number belongs to another connection by then, `open` must not touch that connection."""
    other = Pair()
    number = pair.client.fileno()

    def replace() -> None:
        until(lambda: is_pending(number), "open does not wait")
        os.dup2(other.client.fileno(), number)

    replacer = threading.Thread(target=replace)
    replacer.start()
    with pytest.raises(subflows.ClosedError) as told:
        subflows.open(pair.client, remote=silent, timeout=60)
    replacer.join()
    assert "the socket was closed" in str(told.value) and told.value.remedy in str(told.value)
    assert [path.id for path in subflows.list(other.client)] == [1] and other.moves_data()
    other.close()


def test_signals_that_are_handled_end_nothing(roomy):
    handled = []
    before = signal.signal(signal.SIGALRM, lambda *_: handled.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        deadline = time.monotonic() + 10
        while len(handled) < 100:
            assert time.monotonic() < deadline
            extra = subflows.open(roomy.client, local="127.0.0.2")
            assert len(subflows.list(roomy.client)) == 2
            subflows.close(roomy.client, extra.id)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert roomy.moves_data()


def test_what_is_pending_is_closed_when_it_is_forgotten(pair, silent):
    before = descriptors()

    class Holder:
        pass

    for _ in range(20):
        holder = Holder()
        holder.opening = subflows.Opening(pair.client, remote=silent, timeout=60)
        holder.itself = holder
        assert is_pending(pair.client)
        del holder
        gc.collect()
        assert [path.id for path in subflows.list(pair.client)] == [1]
    assert descriptors() == before
    assert pair.moves_data()


def test_eight_threads_open_and_close(roomy):
    opened, failures = [], []
    together = threading.Barrier(8)

    def steer(number: int) -> None:
        try:
            together.wait(10)
            for _ in range(20):
                extra = subflows.open(roomy.client, local=f"127.0.1.{number}", timeout=30)
                assert extra.local[0] == f"127.0.1.{number}"
                assert subflows.details(roomy.client, extra.id)
                opened.append(extra.id)
                subflows.close(roomy.client, extra.id)
        except BaseException as error:
            failures.append(error)

    workers = [threading.Thread(target=steer, args=(number,)) for number in range(1, 9)]
    before, tasks = descriptors() - netlinks(), threads()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == [] and len(set(opened)) == 160, "an id was used twice"
    # The process keeps at most two idle netlink sockets of each of three kinds, and one for events.
    until(lambda: (descriptors() - netlinks(), threads()) == (before, tasks), "something is left")
    assert netlinks() <= 7
    assert roomy.moves_data()


def test_an_opening_is_of_one_thread_at_a_time(pair, silent):
    """If two threads use one object at once, one gets an error; neither gets the result of the other."""
    opening = subflows.Opening(pair.client, remote=silent, timeout=60)
    over = time.monotonic() + 0.3
    wrong = []

    def advance() -> None:
        while time.monotonic() < over:
            try:
                assert opening.advance() is None
            except RuntimeError:
                pass
            except BaseException as error:
                wrong.append(error)

    workers = [threading.Thread(target=advance) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []
    opening.cancel()
    assert [path.id for path in subflows.list(pair.client)] == [1]


def test_a_fork_gives_up_nothing_of_its_parent(pair, silent):
    opening = subflows.Opening(pair.client, remote=silent, timeout=60)
    child = os.fork()
    if child == 0:
        try:
            opening.cancel()
            del opening
            gc.collect()
            os._exit(0 if len(subflows.list(pair.client)) == 2 else 2)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert opening.advance() is None and is_pending(pair.client)
    opening.cancel()
    assert not is_pending(pair.client)


def test_a_fork_steers_what_it_inherits(pair):
    subflows.close(pair.client, subflows.open(pair.client, local="127.0.0.2").id)
    # The kernel allows two at the peer.
    until(lambda: len(subflows.list(pair.server)) == 1, "the peer has closed the subflow")
    child = os.fork()
    if child == 0:
        try:
            subflows.open(pair.client, local="127.0.0.3")
            os._exit(0)
        finally:
            os._exit(1)
    subflows.open(pair.client, local="127.0.0.4")
    assert os.waitpid(child, 0)[1] == 0
    assert {path.local[0] for path in subflows.list(pair.client)} == {
        "127.0.0.1",
        "127.0.0.3",
        "127.0.0.4",
    }
    assert pair.moves_data()


def paths(sock: socket.socket) -> list:
    return [path.asdict() for path in subflows.list(sock)]


def close_unknown(sock: socket.socket) -> None:
    subflows.close(sock, 77)


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_pool_of_processes_gets_sockets_and_gives_answers(pair, method):
    extra = subflows.open(pair.client, local="127.0.0.2")
    context = multiprocessing.get_context(method)
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        for found in pool.map(paths, [pair.client] * 4):
            assert [path["id"] for path in found] == [1, extra.id]
            assert found[1]["local"] == extra.local
        error = pool.submit(close_unknown, pair.client).exception(30)
    # Ends the thread of multiprocessing that passes the sockets.
    resource_sharer.stop(timeout=10)
    assert isinstance(error, subflows.NoSuchSubflowError)
    assert (error.kind, error.operation) == ("NoSuchSubflow", "close")
    assert error.remedy in str(error)
    assert pair.moves_data()


def test_a_process_ends_while_a_thread_waits():
    program = """
import threading, socket, subflows
full = socket.socket(); full.bind(("127.0.0.1", 0)); full.listen(0)
waiting = [socket.socket() for _ in range(4)]
for sock in waiting:
    sock.setblocking(False)
    sock.connect_ex(full.getsockname())
listener = subflows.listen(("127.0.0.1", 0))
client = subflows.connect(listener.getsockname(), control=True)
server, _ = listener.accept()
client.sendall(b"x"); server.recv(1); server.sendall(b"x"); client.recv(1)
options = {"remote": full.getsockname(), "timeout": 60}
threading.Thread(target=subflows.open, args=(client,), kwargs=options, daemon=True).start()
threading.Thread(target=subflows.events(client).next, daemon=True).start()
while len(subflows.list(client)) < 2:
    pass
pending = subflows.Opening(client, **options)
"""
    start = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-X", "dev", "-c", program], capture_output=True, timeout=30, text=True
    )
    assert (ended.returncode, time.monotonic() - start < 20) == (0, True), ended.stderr


def test_another_interpreter_in_this_process_is_refused_or_works(pair):
    if sys.version_info >= (3, 13):
        import _interpreters as interpreters
    else:
        import _xxsubinterpreters as interpreters
    program = f"import subflows; assert len(subflows.list({pair.client.fileno()})) == 1"
    other = interpreters.create()
    try:
        failure = interpreters.run_string(other, program)
        refused = getattr(failure, "type", None) and failure.type.__name__
        reason = getattr(failure, "msg", None)
    except interpreters.RunFailedError as error:
        refused, _, reason = str(error).partition(": ")
    finally:
        interpreters.destroy(other)
    # If subinterpreters are refused, the error names them.
    assert not refused or ("ImportError" in refused and "subinterpreter" in reason), reason
    assert len(subflows.list(pair.client)) == 1 and pair.moves_data()
