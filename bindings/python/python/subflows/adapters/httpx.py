"""Multipath TCP for httpx, synchronous and asynchronous.

>>> import httpx, subflows, threading
>>> from http.server import SimpleHTTPRequestHandler
>>> from subflows.adapters.http_server import ThreadingHTTPServer
>>> from subflows.adapters.httpx import HTTPTransport
>>> server = ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler)
>>> threading.Thread(target=server.serve_forever).start()
>>> with httpx.Client(transport=HTTPTransport()) as client:
...     with client.stream("GET", f"http://127.0.0.1:{server.server_port}/") as response:
...         sock = response.extensions["network_stream"].get_extra_info("socket")
...         print(subflows.status(sock).state.name)
MPTCP
>>> server.shutdown()
>>> server.server_close()

The asynchronous transport runs on asyncio and on trio, and requires anyio 4.10 or newer.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Optional, Union, cast

import httpcore
import httpx

from ._options import CONNECT
from .httpcore import AsyncNetworkBackend, NetworkBackend

__all__ = ["AsyncHTTPTransport", "HTTPTransport"]

# An error has the same name in both libraries.
_ERRORS: dict[type[Exception], type[Exception]] = {
    error: getattr(httpx, error.__name__)
    for error in (
        httpcore.ConnectError,
        httpcore.ConnectTimeout,
        httpcore.LocalProtocolError,
        httpcore.PoolTimeout,
        httpcore.ProxyError,
        httpcore.ReadError,
        httpcore.ReadTimeout,
        httpcore.RemoteProtocolError,
        httpcore.UnsupportedProtocol,
        httpcore.WriteError,
        httpcore.WriteTimeout,
    )
}


@contextmanager
def _raising() -> Iterator[None]:
    """Raises errors of httpcore as httpx's."""
    try:
        yield
    except tuple(_ERRORS) as error:
        raise _ERRORS[type(error)](str(error)) from error


def _request(request: httpx.Request) -> httpcore.Request:
    return httpcore.Request(
        method=request.method,
        url=httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        ),
        headers=request.headers.raw,
        content=cast(Any, request.stream),
        extensions=request.extensions,
    )


def _response(response: httpcore.Response) -> httpx.Response:
    return httpx.Response(
        response.status,
        headers=response.headers,
        stream=_Body(response.stream),
        extensions=response.extensions,
    )


def _pool_options(
    verify: Union[ssl.SSLContext, bool] = True,
    http1: bool = True,
    http2: bool = False,
    # The default limits of httpx.
    limits: httpx.Limits = httpx.Limits(max_connections=100, max_keepalive_connections=20),
    retries: int = 0,
) -> dict[str, Any]:
    """The options of httpx's own transports, as those of httpcore's pools."""
    return {
        "ssl_context": httpx.create_ssl_context(verify=verify),
        "max_connections": limits.max_connections,
        "max_keepalive_connections": limits.max_keepalive_connections,
        "keepalive_expiry": limits.keepalive_expiry,
        "http1": http1,
        "http2": http2,
        "retries": retries,
    }


class _Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The body of a response, of either kind of pool."""

    def __init__(self, parts: Any) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        with _raising():
            yield from self._parts

    def close(self) -> None:
        with _raising():
            self._parts.close()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _raising():
            async for part in self._parts:
                yield part

    async def aclose(self) -> None:
        with _raising():
            await self._parts.aclose()


class HTTPTransport(httpx.BaseTransport):
    """A transport by Multipath TCP, with the keywords of `subflows.connect` except its timeout.

    The other keywords are those of `httpx.HTTPTransport`: ``verify``, ``http1``, ``http2``, ``limits``
    and ``retries``. A client ignores its own ``verify`` and ``http2`` if it has a transport.
    """

    @CONNECT.shown
    def __init__(self, **kwargs: Any) -> None:
        backend = NetworkBackend(**CONNECT.take(kwargs))
        self._pool = httpcore.ConnectionPool(network_backend=backend, **_pool_options(**kwargs))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Sends one request, for the client."""
        with _raising():
            return _response(self._pool.handle_request(_request(request)))

    def close(self) -> None:
        """Closes the idle connections."""
        self._pool.close()


class AsyncHTTPTransport(httpx.AsyncBaseTransport):
    """The same for `httpx.AsyncClient`."""

    @CONNECT.shown
    def __init__(self, **kwargs: Any) -> None:
        backend = AsyncNetworkBackend(**CONNECT.take(kwargs))
        self._pool = httpcore.AsyncConnectionPool(
            network_backend=backend, **_pool_options(**kwargs)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends one request, for the client."""
        with _raising():
            return _response(await self._pool.handle_async_request(_request(request)))

    async def aclose(self) -> None:
        """Closes the idle connections."""
        await self._pool.aclose()
