"""TLS over Multipath TCP, with the `ssl` module.

Every function of `subflows` accepts an `ssl.SSLSocket`, and any context wraps a socket of
`subflows.connect`, at once or later (as STARTTLS does):
``context.wrap_socket(sock, server_hostname=host)``. The functions here connect and wrap in one call.

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
from typing import TYPE_CHECKING, Optional, Union

import subflows

from .._keywords import Keywords

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._native import _ConnectKeywords, _ListenKeywords

__all__ = ["connect", "listen"]

_CONNECT = Keywords(subflows.connect)
_LISTEN = Keywords(subflows.listen)
_Address = Union[tuple[str, int], tuple[str, int, int, int]]


@_CONNECT.shown
def connect(
    address: _Address,
    *,
    context: Optional[ssl.SSLContext] = None,
    server_hostname: Optional[str] = None,
    **options: Unpack[_ConnectKeywords],
) -> ssl.SSLSocket:
    """Connects as `subflows.connect` does, and makes the TLS handshake.

    The default context is that of `ssl.create_default_context`; the default name in the certificate is
    the host of the address. The timeout applies to connecting and to each step of the handshake. The
    socket that it returns is in blocking mode.

    Raises the errors of `subflows.connect`, and `ssl.SSLError`.
    """
    sock = subflows.connect(address, **options)
    try:
        sock.settimeout(options.get("timeout"))
        chosen = context or ssl.create_default_context()
        wrapped = chosen.wrap_socket(sock, server_hostname=server_hostname or address[0])
        wrapped.settimeout(None)
        return wrapped
    except BaseException:
        sock.close()
        raise


@_LISTEN.shown
def listen(
    address: _Address, context: ssl.SSLContext, **options: Unpack[_ListenKeywords]
) -> ssl.SSLSocket:
    """Listens as `subflows.listen` does; ``accept`` returns an `ssl.SSLSocket`."""
    sock = subflows.listen(address, **options)
    try:
        return context.wrap_socket(sock, server_side=True)
    except BaseException:
        sock.close()
        raise
