"""Without these, a program on asyncio blocks its loop, leaks cancelled attempts, or needs threads."""

import asyncio
import gc
import socket
import time

import pytest
from process import descriptors, threads

import subflows
import subflows.aio

try:
    import uvloop
except ImportError:
    uvloop = None

RUNNERS = ["asyncio"] + (["uvloop"] if uvloop else [])

pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture(params=RUNNERS)
def run(request):
    def runner(main):
        loop = uvloop.new_event_loop() if request.param == "uvloop" else asyncio.new_event_loop()
        try:
            # A thousand connections take half a minute on a busy machine.
            return loop.run_until_complete(asyncio.wait_for(main, 180))
        finally:
            loop.close()

    return runner


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def connected(**options):
    server = await subflows.aio.start_server(echo, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    reader, writer = await subflows.aio.open_connection(host, port, **options)
    writer.write(b"x")
    assert await reader.readexactly(1) == b"x"
    return server, reader, writer


def test_small_writes_do_not_wait_as_with_asyncio(run):
    async def main():
        accepted = []

        def serve(reader, writer):
            accepted.append(writer)
            writer.write(b"x")

        async with await subflows.aio.start_server(serve, "127.0.0.1", 0) as server:
            reader, writer = await subflows.aio.open_connection(*server.sockets[0].getsockname())
            await reader.readexactly(1)
            for end in (writer, accepted[0]):
                sock = end.get_extra_info("socket")
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                end.close()

    run(main())


def test_both_ends_speak_multipath_tcp(run):
    async def main():
        server, reader, writer = await connected(control=True)
        sock = writer.get_extra_info("socket")
        assert subflows.status(sock).state is subflows.State.MPTCP
        tokens = {connection.token for connection in subflows.connections()}
        assert subflows.info(sock).token in tokens and len(tokens) >= 2
        async with subflows.aio.events(writer) as events:
            extra = await subflows.aio.open(writer, local="127.0.0.2", backup=True)
            event = await events.__anext__()
            assert (event.kind, event.local) == (
                subflows.EventKind.SUBFLOW_ESTABLISHED,
                extra.local,
            )
        report = await subflows.aio.probe(server.sockets[0].getsockname())
        assert report.verdict is subflows.Verdict.MPTCP
        assert isinstance(await subflows.aio.doctor(), list)
        writer.write(b"y" * 100_000)
        assert await reader.readexactly(100_000) == b"y" * 100_000
        writer.close()
        server.close()

    run(main())


def test_cancelled_at_once_and_nothing_left(run):
    async def main():
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.9", 0))
            nobody.listen(0)
            full = [socket.socket() for _ in range(3)]
            for sock in full:
                sock.setblocking(False)
                sock.connect_ex(nobody.getsockname())
            server, reader, writer = await connected(control=True)
            sock = writer.get_extra_info("socket")
            # An event loop keeps descriptors from its first wait on.
            extra = await subflows.aio.open(writer, local="127.0.0.2")
            subflows.close(sock, extra.id)
            # Collects the objects of other tests. An event loop may have threads, even after it was
            # closed.
            gc.collect()
            before, threads_before = descriptors(), threads()
            for begin in (
                lambda: subflows.aio.open(writer, remote=nobody.getsockname(), timeout=60),
                lambda: subflows.aio.connect(nobody.getsockname(), timeout=60),
            ):
                task = asyncio.ensure_future(begin())
                await asyncio.sleep(0.1)
                start = time.monotonic()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert time.monotonic() - start < 0.1
                del task
            with pytest.raises(subflows.TimedOutError):
                await subflows.aio.open(writer, remote=nobody.getsockname(), timeout=0.2)
            assert [path.id for path in subflows.list(sock)] == [1]
            # uvloop closes watched descriptors in its next iteration.
            while descriptors() > before:
                await asyncio.sleep(0.01)
            assert threads() <= threads_before
            writer.close()
            server.close()
            for sock in full:
                sock.close()

    run(main())


def test_a_thousand_connections_leak_nothing(run):
    async def one(host, port):
        reader, writer = await subflows.aio.open_connection(host, port, control=True)
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        extra = await subflows.aio.open(writer, local="127.0.0.2", timeout=30)
        subflows.close(writer.get_extra_info("socket"), extra.id)
        writer.close()
        await writer.wait_closed()

    async def main():
        server = await subflows.aio.start_server(echo, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        await one(host, port)
        before = descriptors()
        for _ in range(50):
            await asyncio.gather(*(one(host, port) for _ in range(20)))
        while descriptors() > before:
            await asyncio.sleep(0.01)
        server.close()

    run(main())


def test_closing_the_socket_ends_what_is_pending(run, silence):
    async def main():
        server = await subflows.aio.start_server(echo, "127.0.0.1", 0)
        sock = await subflows.aio.connect(server.sockets[0].getsockname(), control=True)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, b"x")
        assert await loop.sock_recv(sock, 1) == b"x"
        task = asyncio.ensure_future(subflows.aio.open(sock, remote=silence, timeout=60))
        while len(subflows.list(sock)) < 2:
            await asyncio.sleep(0)
        start = time.monotonic()
        sock.close()
        with pytest.raises(subflows.ClosedError):
            await task
        assert time.monotonic() - start < 0.1
        server.close()

    run(main())


@pytest.fixture
def two_hosts(monkeypatch, silence):
    """A name with two addresses, of which the first does not answer."""
    found = [silence]

    async def resolved(address, *rest):
        host, port = address
        return [*found, ("127.0.0.1", port)] if host == "two.test" else [address]

    # Not the loop's resolver, which starts a thread.
    monkeypatch.setattr(subflows.aio, "_resolved", resolved)
    return found


def test_addresses_are_raced_as_by_asyncio(run, two_hosts):
    async def main():
        with subflows.listen(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            before = None
            for _ in range(3):
                start = time.monotonic()
                _, writer = await subflows.aio.open_connection(
                    "two.test", port, happy_eyeballs_delay=0.1, local_addr=("127.0.0.7", 0)
                )
                assert 0.09 <= time.monotonic() - start < 2
                assert writer.get_extra_info("peername") == ("127.0.0.1", port)
                assert writer.get_extra_info("sockname")[0] == "127.0.0.7"
                writer.close()
                await writer.wait_closed()
                # The library and the loop keep some from the first connection on.
                before = before or descriptors()
            # A failure begins the next attempt at once.
            two_hosts[:] = [("127.0.0.1", 1)]
            start = time.monotonic()
            _, writer = await subflows.aio.open_connection("two.test", port, happy_eyeballs_delay=60)
            assert time.monotonic() - start < 2
            writer.close()
            await writer.wait_closed()
            while descriptors() > before:
                await asyncio.sleep(0.01)

    run(main())


def test_a_race_that_is_lost_or_cancelled_leaves_nothing(run, two_hosts):
    async def main():
        before = descriptors()
        with pytest.raises(subflows.RefusedError):
            two_hosts[:] = [("127.0.0.1", 1)] * 3
            await subflows.aio.open_connection("two.test", 1, happy_eyeballs_delay=0)
        two_hosts[:] = [silent_address] * 3
        racing = asyncio.ensure_future(
            subflows.aio.open_connection("two.test", silent_address[1], happy_eyeballs_delay=0.01)
        )
        await asyncio.sleep(0.1)
        racing.cancel()
        with pytest.raises((asyncio.CancelledError, subflows.RefusedError)):
            await racing
        while descriptors() > before:
            await asyncio.sleep(0.01)

    silent_address = two_hosts[0]
    run(main())


def test_families_take_turns():
    four, six = [("a", n) for n in range(3)], [("b", n, 0, 0) for n in range(2)]
    in_turn = subflows.aio._interleaved(four + six, 1)
    assert in_turn == [four[0], six[0], four[1], six[1], four[2]]
    assert subflows.aio._interleaved(six + four, 2) == [*six, four[0], four[1], four[2]]
