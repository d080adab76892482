"""Without it, the types in the stubs could differ from those of the module."""

import socket
from typing import Optional

import subflows

sock: socket.socket = subflows.connect(("127.0.0.1", 80), control=True, timeout=1.5)
paths: list[subflows.Subflow] = subflows.list(sock)
rate: Optional[int] = paths[0].pacing_rate
extra: subflows.Subflow = subflows.open(sock, interface="wwan0", backup=True)
subflows.close(sock.fileno(), extra.id, force=True)
state: subflows.State = subflows.status(sock).state
for event in subflows.events(sock):
    kind: subflows.EventKind = event.kind
    reason: Optional[int] = event.reset_reason
try:
    subflows.take_control(sock)
except subflows.NotPermittedError as error:
    print(error.kind, error.remedy)
