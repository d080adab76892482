"""Without these, a program on gevent would stop its hub, or leak what a killed greenlet began."""

import subprocess
import sys

import pytest

# gevent replaces modules of the interpreter, so each program has one of its own.
HEAD = """
from gevent import monkey
monkey.patch_all()
import os, socket, time
import gevent, gevent.socket
import subflows
from subflows.adapters.gevent import connect, events, open

turns = 0

def count():
    global turns
    while True:
        gevent.sleep(0.001)
        turns += 1

gevent.spawn(count)
listener = subflows.listen(("127.0.0.1", 0))
client = connect(("localhost", listener.getsockname()[1]), control=True)
server, _ = listener.accept()
assert isinstance(client, gevent.socket.socket) and isinstance(server, gevent.socket.socket)
server.sendall(b"x")
assert client.recv(1) == b"x"

full = socket.socket()
full.bind(("127.0.0.9", 0))
full.listen(0)
waiting = [socket.socket() for _ in range(4)]
for sock in waiting:
    sock.setblocking(False)
    sock.connect_ex(full.getsockname())
silence = full.getsockname()

def descriptors():
    return len(os.listdir("/proc/self/fd"))
"""

PROGRAMS = {
    "the hub runs during each wait": """
for wait in (
    lambda: open(client, remote=silence, timeout=0.3),
    lambda: connect(silence, timeout=0.3),
):
    before = turns
    try:
        wait()
        raise SystemExit("something answered")
    except subflows.TimedOutError:
        assert turns - before > 20, turns - before
with events(client) as stream:
    before = turns
    assert stream.next(0.3) is None
    assert turns - before > 20, turns - before
""",
    "a killed greenlet leaves nothing": """
for wait in (
    lambda: open(client, remote=silence, timeout=60),
    lambda: connect(silence, timeout=60),
):
    for _ in range(2):
        greenlet = gevent.spawn(wait)
        gevent.sleep(0.05)
        greenlet.kill()
        # The library keeps netlink sockets from the first call on.
        before = descriptors()
    with gevent.Timeout(0.05, False):
        wait()
    assert descriptors() == before
assert len(subflows.list(client)) == 1
""",
    "events are followed, and the stream is closed": """
seen = []
stream = events(client)
follower = gevent.spawn(lambda: seen.extend(event.kind.name for event in stream))
waiter = gevent.spawn(stream.next)
gevent.sleep(0.01)
extra = open(client, local="127.0.0.2")
subflows.close(client, extra.id)
while len(seen) + waiter.ready() < 2:
    gevent.sleep(0.001)
stream.close()
gevent.joinall([follower, waiter], timeout=10)
assert follower.successful()
# Either it got an event, or the end.
assert waiter.value or isinstance(waiter.exception, ValueError), waiter
assert list(stream) == []
""",
    "a wrong address is named": """
try:
    connect("server.example:443")
except TypeError as error:
    assert 'pass ("server.example", 443)' in str(error)
else:
    raise SystemExit("it was taken")
""",
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_gevent(program):
    subprocess.run([sys.executable, "-c", HEAD + PROGRAMS[program]], check=True, timeout=20)
