"""See and steer the subflows of Multipath TCP connections, on stock Linux kernels.

>>> import subflows
>>> server = subflows.listen(("127.0.0.1", 0))
>>> sock = subflows.connect(server.getsockname())
>>> [path.local == sock.getsockname() for path in subflows.list(sock)]
[True]

A socket is any object with a ``fileno()``, or a number. It is borrowed for the call and never closed. The
functions keep no state: each one asks the kernel. What lives longer (an announced address, a stream of
events, a pending open) is an object.

Reading requires no privilege. Changing subflows requires CAP_NET_ADMIN over the network namespace, and for
most functions a connection that the application controls: see `take_control`. `capabilities` lists what this
kernel and this process can do. Timeouts are in seconds.
"""

from . import _enums, _errors, _native
from ._enums import *  # noqa: F403
from ._errors import *  # noqa: F403
from ._native import *  # noqa: F403

__all__ = []
__all__ += _enums.__all__
__all__ += _errors.__all__
__all__ += _native.__all__
