"""See and steer the subflows of Multipath TCP connections, on stock Linux kernels.

>>> import subflows
>>> server = subflows.listen(("127.0.0.1", 0))
>>> sock = subflows.connect(server.getsockname())
>>> [path.local == sock.getsockname() for path in subflows.list(sock)]
[True]

A socket is anything with a ``fileno()``, or a number: it is borrowed for the call and never closed. The
functions keep no state: everything can be asked again from the kernel. What lives longer (an announced
address, a stream of events, a pending open) is an object.

Reading needs no privilege. Acting needs CAP_NET_ADMIN over the network namespace, and for most verbs a
connection that the application controls: see `take_control`. What this kernel and this process can do is
told by `capabilities`. Timeouts are in seconds.
"""

from ._enums import EventKind, PathManager, State, SubflowState
from ._errors import *  # noqa: F403: every kind of error, by its class
from ._errors import __all__ as _errors_all
from ._native import (
    Address,
    Announced,
    Capability,
    Connecting,
    Connection,
    Details,
    Event,
    Events,
    Info,
    Opening,
    Status,
    Subflow,
    __version__,
    addresses,
    announce,
    capabilities,
    close,
    connect,
    connection,
    connections,
    details,
    events,
    info,
    list,
    listen,
    open,
    set_backup,
    socket,
    status,
    take_control,
    upgrade,
)

__all__ = [
    "Address",
    "Announced",
    "Capability",
    "Connecting",
    "Connection",
    "Details",
    "Event",
    "EventKind",
    "Events",
    "Info",
    "Opening",
    "PathManager",
    "State",
    "Status",
    "Subflow",
    "SubflowState",
    "__version__",
    "addresses",
    "announce",
    "capabilities",
    "close",
    "connect",
    "connection",
    "connections",
    "details",
    "events",
    "info",
    "list",
    "listen",
    "open",
    "set_backup",
    "socket",
    "status",
    "take_control",
    "upgrade",
]
__all__ += _errors_all
