"""Multipath TCP for urllib3 (2 or newer).

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

A response has the ``fileno()`` of its connection, also after its last byte, for as long as the pool keeps
that open: pass it to `subflows.list`, `subflows.open` and other functions. To open a path before the body
is read, pass ``preload_content=False``.
"""

from __future__ import annotations

import socket
import sys
from functools import partial
from typing import Any, cast

import urllib3
import urllib3.connection
import urllib3.poolmanager
from urllib3.exceptions import ConnectTimeoutError, LocationParseError, NewConnectionError

import subflows

from ._options import CONNECT, require

require("urllib3", urllib3.__version__, (2, 0))  # type: ignore[attr-defined]
# The versions before lack it.
from urllib3.exceptions import NameResolutionError  # noqa: E402

__all__ = [
    "HTTPConnection",
    "HTTPConnectionPool",
    "HTTPSConnection",
    "HTTPSConnectionPool",
    "PoolManager",
    "upgrade",
]


class HTTPConnection(urllib3.connection.HTTPConnection):
    """A connection by Multipath TCP, with the keywords of `subflows.connect` except its timeout."""

    @CONNECT.shown
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._options = CONNECT.take(kwargs)
        local = self._options.pop("local")
        if local is not None:
            kwargs["source_address"] = local
        super().__init__(*args, **kwargs)

    # urllib3 makes its sockets here; its own SOCKS support overrides this method too.
    def _new_conn(self) -> socket.socket:
        # Unlike `host` it keeps a final dot, without which the resolver tries search domains.
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
                timeout=self.timeout,
                **self._options,
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

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        """Returns the response, with the `fileno` of this connection also after its last byte."""
        # Read before, because the connection lets go of a socket that the server will close.
        fileno: Any = self.sock.fileno
        response = super().getresponse()
        response.fileno = fileno  # type: ignore[method-assign]
        return response


class HTTPSConnection(HTTPConnection, urllib3.connection.HTTPSConnection):
    """The same with TLS."""


class HTTPConnectionPool(urllib3.HTTPConnectionPool):
    """A pool of connections by Multipath TCP; it passes its keywords to each."""

    ConnectionCls = HTTPConnection


class HTTPSConnectionPool(urllib3.HTTPSConnectionPool):
    """The same with TLS."""

    ConnectionCls = HTTPSConnection


@CONNECT.shown
def upgrade(manager: urllib3.PoolManager, **options: Any) -> None:
    """Makes the later pools of a manager Multipath TCP. It may be the manager of an HTTP proxy.

    Raises ValueError for a manager with connections of its own, such as that of a SOCKS proxy.
    """
    if manager.pool_classes_by_scheme is not urllib3.poolmanager.pool_classes_by_scheme:
        raise ValueError(
            f"{type(manager).__name__} makes its own connections, which cannot be Multipath TCP"
        )
    options = CONNECT.only(options)
    pools = {"http": HTTPConnectionPool, "https": HTTPSConnectionPool}
    manager.pool_classes_by_scheme = {
        # The manager calls the class to make a pool.
        scheme: cast(Any, partial(pool, **options))
        for scheme, pool in pools.items()
    }


class PoolManager(urllib3.PoolManager):
    """A pool manager by Multipath TCP, with the keywords of `subflows.connect` except its timeout."""

    @CONNECT.shown
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        options = CONNECT.take(kwargs)
        super().__init__(*args, **kwargs)
        upgrade(self, **options)
