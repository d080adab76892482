"""httpx by Multipath TCP, with and without ``await``.

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

The asynchronous transport is for asyncio and for trio, and needs anyio 4.10 or newer.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Optional, Union, cast

import httpcore
import httpx

from .httpcore import AsyncNetworkBackend, NetworkBackend

__all__ = ["AsyncHTTPTransport", "HTTPTransport"]

# The two libraries give an error the same name.
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
    """Errors of httpcore as httpx's."""
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


def _pool_options(
    verify: Union[ssl.SSLContext, bool],
    http1: bool,
    http2: bool,
    limits: httpx.Limits,
    retries: int,
) -> dict[str, Any]:
    return {
        "ssl_context": httpx.create_ssl_context(verify=verify),
        "max_connections": limits.max_connections,
        "max_keepalive_connections": limits.max_keepalive_connections,
        "keepalive_expiry": limits.keepalive_expiry,
        "http1": http1,
        "http2": http2,
        "retries": retries,
    }


# What httpx takes where nothing is said.
_LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20)


class _Body(httpx.SyncByteStream):
    def __init__(self, parts: Any) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        with _raising():
            yield from cast("Iterable[bytes]", self._parts)

    def close(self) -> None:
        with _raising():
            self._parts.close()


class HTTPTransport(httpx.BaseTransport):
    """What a client is given to speak Multipath TCP; options as for `subflows.connect`.

    The others are those of `httpx.HTTPTransport`, save proxies and Unix sockets. As with any
    transport that a client is given, the client's own ``verify`` and ``http2`` are without effect.
    """

    def __init__(
        self,
        *,
        control: bool = False,
        local: Optional[tuple[str, int]] = None,
        interface: Optional[str] = None,
        verify: Union[ssl.SSLContext, bool] = True,
        http1: bool = True,
        http2: bool = False,
        limits: httpx.Limits = _LIMITS,
        retries: int = 0,
    ) -> None:
        self._pool = httpcore.ConnectionPool(
            network_backend=NetworkBackend(control=control, local=local, interface=interface),
            **_pool_options(verify, http1, http2, limits, retries),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Sends one request, for the client."""
        with _raising():
            response = self._pool.handle_request(_request(request))
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response.stream),
            extensions=response.extensions,
        )

    def close(self) -> None:
        """Closes the connections that are kept."""
        self._pool.close()


class _AsyncBody(httpx.AsyncByteStream):
    def __init__(self, parts: Any) -> None:
        self._parts = parts

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _raising():
            async for part in cast("AsyncIterable[bytes]", self._parts):
                yield part

    async def aclose(self) -> None:
        with _raising():
            await self._parts.aclose()


class AsyncHTTPTransport(httpx.AsyncBaseTransport):
    """The same for `httpx.AsyncClient`."""

    def __init__(
        self,
        *,
        control: bool = False,
        local: Optional[tuple[str, int]] = None,
        interface: Optional[str] = None,
        verify: Union[ssl.SSLContext, bool] = True,
        http1: bool = True,
        http2: bool = False,
        limits: httpx.Limits = _LIMITS,
        retries: int = 0,
    ) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            network_backend=AsyncNetworkBackend(
                control=control, local=local, interface=interface
            ),
            **_pool_options(verify, http1, http2, limits, retries),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends one request, for the client."""
        with _raising():
            response = await self._pool.handle_async_request(_request(request))
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_AsyncBody(response.stream),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Closes the connections that are kept."""
        await self._pool.aclose()
