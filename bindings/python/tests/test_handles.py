"""Without these, a thread could not end what another thread waits for."""

import asyncio
import os
import threading
import time

import pytest
from process import descriptors

import subflows
import subflows.aio

AT_ONCE = 0.1


class Follower(threading.Thread):
    """A thread that waits for the events of a stream."""

    def __init__(self, follow) -> None:
        super().__init__()
        self.follow = follow
        self.raised = None
        self.begins = threading.Event()
        self.start()
        assert self.begins.wait(10)
        waits(self)

    def run(self) -> None:
        self.begins.set()
        try:
            self.follow()
        except Exception as error:
            self.raised = error

    def ended(self) -> float:
        """How long it goes on."""
        start = time.monotonic()
        self.join(10)
        assert not self.is_alive(), "it waits forever"
        return time.monotonic() - start


def waits(thread: threading.Thread) -> None:
    """Returns once the thread sleeps in the kernel."""
    deadline = time.monotonic() + 10
    path = f"/proc/self/task/{thread.native_id}/wchan"
    while "poll" not in open(path).read():
        assert time.monotonic() < deadline, open(path).read()
        time.sleep(0.001)


def by_close(events) -> None:
    events.close()


def by_leaving(events) -> None:
    with events:
        pass


@pytest.mark.parametrize("end", [by_close, by_leaving])
@pytest.mark.parametrize("source", ["connection", "namespace"])
def test_a_stream_that_another_thread_closes_ends(pair, source, end):
    before = descriptors()
    made = subflows.events(pair.client) if source == "connection" else subflows.Events.of_namespace()
    seen = []
    loops = [Follower(lambda: seen.extend(event.kind for event in made)) for _ in range(2)]
    call = Follower(lambda: made.next(60))
    assert made.fileno() > 0
    made.set_buffer(1 << 20)
    end(made)
    for follower in (*loops, call):
        assert follower.ended() < AT_ONCE
    assert [loop.raised for loop in loops] == [None, None]
    assert isinstance(call.raised, ValueError) and "events()" in str(call.raised)
    assert list(made) == [] and seen == []
    with pytest.raises(ValueError, match="closed"):
        made.fileno()
    made.close()
    assert descriptors() == before


def test_what_the_block_raised_is_not_hidden(pair):
    with pytest.raises(ZeroDivisionError):
        with subflows.events(pair.client) as events:
            follower = Follower(lambda: [event.kind for event in events])
            raise ZeroDivisionError
    assert follower.ended() < AT_ONCE and follower.raised is None


def test_each_event_goes_to_one_of_several_threads(pair):
    seen = []
    with subflows.events(pair.client) as events:
        loops = [Follower(lambda: seen.extend(event.kind for event in events)) for _ in range(3)]
        for _ in range(10):
            extra = subflows.open(pair.client, local="127.0.0.2")
            subflows.close(pair.client, extra.id)
        deadline = time.monotonic() + 10
        while len(seen) < 20 and time.monotonic() < deadline:
            time.sleep(0.001)
    for loop in loops:
        loop.ended()
    kinds = subflows.EventKind.SUBFLOW_ESTABLISHED, subflows.EventKind.SUBFLOW_CLOSED
    assert sorted(seen) == sorted(kinds * 10)


def test_a_childs_close_is_not_the_parents(pair):
    seen = []
    with subflows.events(pair.client) as events:
        follower = Follower(lambda: seen.extend(event.kind for event in events))
        child = os.fork()
        if child == 0:
            events.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        # It waits again, and does not spin.
        waits(follower)
        subflows.open(pair.client, local="127.0.0.2")
        deadline = time.monotonic() + 10
        while not seen and time.monotonic() < deadline:
            time.sleep(0.001)
        assert follower.is_alive() and seen == [subflows.EventKind.SUBFLOW_ESTABLISHED]
    assert follower.ended() < AT_ONCE


def stepped(wait) -> None:
    while True:
        wait.fileno()
        wait.time_left
        wait.advance()


@pytest.mark.parametrize("kind", ["opening", "connecting"])
def test_a_wait_that_another_thread_cancels_ends(pair, silence, kind):
    wait = (
        subflows.Opening(pair.client, remote=silence, timeout=60)
        if kind == "opening"
        else subflows.Connecting(silence, timeout=60)
    )
    raised = []

    def step() -> None:
        try:
            stepped(wait)
        except Exception as error:
            raised.append(error)

    threads = [threading.Thread(target=step) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(1000):
        assert wait.fileno() > 0 and wait.time_left > 0
    wait.cancel()
    for thread in threads:
        thread.join(10)
    assert [type(error) for error in raised] == [ValueError] * 3, raised
    assert len(subflows.list(pair.client)) == 1
    wait.cancel()


def test_an_announcement_that_another_thread_withdraws_ends(pair):
    announced = subflows.announce(pair.client, "127.0.0.5", port=0)
    raised = []

    def ask() -> None:
        try:
            while True:
                assert announced.id and announced.fileno() > 0 and announced.turn_away() == 0
                assert announced.address[0] == "127.0.0.5"
        except Exception as error:
            raised.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    announced.withdraw()
    for thread in threads:
        thread.join(10)
    assert [type(error) for error in raised] == [ValueError] * 3, raised
    announced.withdraw()


def test_a_stream_of_asyncio_that_is_closed_ends(pair):
    async def main() -> None:
        async def follow() -> list:
            return [event.kind async for event in events]

        events = subflows.aio.events(pair.client)
        tasks = [asyncio.ensure_future(follow()) for _ in range(2)]
        await asyncio.sleep(0)
        extra = subflows.open(pair.client, local="127.0.0.2")
        subflows.close(pair.client, extra.id)
        assert events.fileno() > 0
        deadline = time.monotonic() + 10
        while not all(task.done() for task in tasks):
            assert time.monotonic() < deadline, "a task waits forever"
            await asyncio.sleep(0.02)
            events.close()
        kinds = [kind for task in tasks for kind in task.result()]
        assert len(kinds) <= 2
        assert [event async for event in events] == []

    asyncio.run(main())


def test_two_tasks_share_a_stream_of_asyncio(pair):
    async def main() -> None:
        async with subflows.aio.events(pair.client) as events:
            first, second = (asyncio.ensure_future(events.__anext__()) for _ in range(2))
            await asyncio.sleep(0)
            extra = await subflows.aio.open(pair.client, local="127.0.0.2")
            subflows.close(pair.client, extra.id)
            both = await asyncio.wait_for(asyncio.gather(first, second), 10)
            assert {event.local for event in both} == {extra.local}

    asyncio.run(main())
