"""Measures `list` of two subflows in Python: nanoseconds per call, once for each line of input."""

import sys
import time

import subflows

CALLS = 2000

listener = subflows.listen(("127.0.0.1", 0))
client = subflows.connect(listener.getsockname(), control=True)
server, _ = listener.accept()
client.sendall(b"x")
server.recv(1)
server.sendall(b"x")
client.recv(1)
subflows.open(client, local="127.0.0.2")
assert len(subflows.list(client)) == 2

for _ in sys.stdin:
    start = time.perf_counter_ns()
    for _ in range(CALLS):
        subflows.list(client)
    print((time.perf_counter_ns() - start) / CALLS, flush=True)
