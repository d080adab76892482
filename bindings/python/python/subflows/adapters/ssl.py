"""TLS over Multipath TCP, with the `ssl` module.

A `ssl.SSLSocket` is taken by every verb, and any context wraps a socket of `subflows.connect`, at
once or later (as STARTTLS does): ``context.wrap_socket(sock, server_hostname=host)``. What stands
here is that in one call.

>>> import subflows
>>> from subflows.adapters.ssl import connect
>>> try:
...     sock = connect(("127.0.0.1", 1), timeout=2)
... except subflows.RefusedError as error:
...     print(error.kind)
Refused
"""

from __future__ import annotations

import ssl
from typing import Any, Optional, Union

import subflows

__all__ = ["connect", "listen"]

_Address = Union[tuple[str, int], tuple[str, int, int, int]]


def connect(
    address: _Address,
    *,
    context: Optional[ssl.SSLContext] = None,
    server_hostname: Optional[str] = None,
    local: Optional[_Address] = None,
    interface: Optional[str] = None,
    timeout: Optional[float] = None,
    control: bool = False,
) -> ssl.SSLSocket:
    """Connects as `subflows.connect` does, and makes the handshake.

    Without a context, it is `ssl.create_default_context`'s; without another name, the host of the
    address must be in the certificate. The timeout is that of each step, and not kept: the socket
    is in blocking mode, as ever.

    Raises what `subflows.connect` raises, and `ssl.SSLError`.
    """
    sock = subflows.connect(
        address, local=local, interface=interface, timeout=timeout, control=control
    )
    try:
        sock.settimeout(timeout)
        chosen = context or ssl.create_default_context()
        wrapped = chosen.wrap_socket(sock, server_hostname=server_hostname or address[0])
        wrapped.settimeout(None)
        return wrapped
    except BaseException:
        sock.close()
        raise


def listen(address: _Address, context: ssl.SSLContext, **options: Any) -> ssl.SSLSocket:
    """Listens as `subflows.listen` does, and accepts as a `ssl.SSLSocket`; same options."""
    sock = subflows.listen(address, **options)
    try:
        return context.wrap_socket(sock, server_side=True)
    except BaseException:
        sock.close()
        raise
