"""urllib3 (2 or newer) by Multipath TCP.

>>> import subflows, threading
>>> from http.server import SimpleHTTPRequestHandler
>>> from subflows.adapters.http_server import ThreadingHTTPServer
>>> from subflows.adapters.urllib3 import PoolManager
>>> server = ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler)
>>> threading.Thread(target=server.serve_forever).start()
>>> with PoolManager() as http:
...     response = http.request(
...         "GET", f"http://127.0.0.1:{server.server_port}/", preload_content=False
...     )
...     print(subflows.status(response).state.name)
MPTCP
>>> server.shutdown()
>>> server.server_close()

A response that is being read (``preload_content=False``) is what `subflows.list`, `subflows.open`
and the others take for its connection, as it has a ``fileno()``.
"""

from __future__ import annotations

import socket
import sys
from functools import partial
from typing import Any, Optional, cast

import urllib3
import urllib3.connection
import urllib3.poolmanager
from urllib3.exceptions import (
    ConnectTimeoutError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
)

import subflows

__all__ = [
    "HTTPConnection",
    "HTTPConnectionPool",
    "HTTPSConnection",
    "HTTPSConnectionPool",
    "PoolManager",
    "upgrade",
]


class HTTPConnection(urllib3.connection.HTTPConnection):
    """A connection by Multipath TCP; `control` and `interface` as for `subflows.connect`.

    The local address is urllib3's ``source_address``.
    """

    def __init__(
        self, *args: Any, control: bool = False, interface: Optional[str] = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.control = control
        self.interface = interface

    # The one place where urllib3 makes a socket, which its own SOCKS support overrides too.
    def _new_conn(self) -> socket.socket:
        # Unlike `host` it keeps a final dot, without which a name is looked for in search domains.
        name = self._dns_host
        if name.startswith("["):
            name = name.strip("[]")
        try:
            name.encode("idna")
        except UnicodeError:
            raise LocationParseError(f"'{name}', label empty or too long") from None
        try:
            sock = subflows.connect(
                (name, self.port),
                local=self.source_address,
                interface=self.interface,
                timeout=self.timeout,
                control=self.control,
            )
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except subflows.TimedOutError as error:
            raise ConnectTimeoutError(
                self, f"Connection to {self.host} timed out. (connect timeout={self.timeout})"
            ) from error
        except OSError as error:
            raise NewConnectionError(
                self, f"Failed to establish a new connection: {error}"
            ) from error
        try:
            for option in self.socket_options or ():
                sock.setsockopt(*option)
            sock.settimeout(self.timeout)
        except OSError as error:
            sock.close()
            raise NewConnectionError(self, f"Failed to set an option: {error}") from error
        sys.audit("http.client.connect", self, self.host, self.port)
        return sock


class HTTPSConnection(HTTPConnection, urllib3.connection.HTTPSConnection):
    """The same with TLS."""


class HTTPConnectionPool(urllib3.HTTPConnectionPool):
    """A pool of connections by Multipath TCP; `control` and `interface` go to each."""

    ConnectionCls = HTTPConnection


class HTTPSConnectionPool(urllib3.HTTPSConnectionPool):
    """The same with TLS."""

    ConnectionCls = HTTPSConnection


def upgrade(
    manager: urllib3.PoolManager, *, control: bool = False, interface: Optional[str] = None
) -> None:
    """Makes all further pools of a manager, which may be a proxy's, Multipath TCP.

    Raises ValueError for one that makes connections of its own, as that of a SOCKS proxy does.
    """
    if manager.pool_classes_by_scheme is not urllib3.poolmanager.pool_classes_by_scheme:
        raise ValueError(
            f"{type(manager).__name__} makes connections of its own, which cannot be Multipath TCP"
        )
    pools = {"http": HTTPConnectionPool, "https": HTTPSConnectionPool}
    manager.pool_classes_by_scheme = {
        # To the manager, a class is something that it calls to have a pool.
        scheme: cast(Any, partial(pool, control=control, interface=interface))
        for scheme, pool in pools.items()
    }


class PoolManager(urllib3.PoolManager):
    """A pool manager whose connections are Multipath TCP; options as for `subflows.connect`."""

    def __init__(
        self,
        *args: Any,
        control: bool = False,
        local: Optional[tuple[str, int]] = None,
        interface: Optional[str] = None,
        **kwargs: Any,
    ) -> None:
        if local is not None:
            kwargs["source_address"] = local
        super().__init__(*args, **kwargs)
        upgrade(self, control=control, interface=interface)
