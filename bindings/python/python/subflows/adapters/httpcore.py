"""Multipath TCP for httpcore, on which httpx is built: its network backends.

The asynchronous backend requires anyio 4.10 or newer.

>>> import httpcore, subflows
>>> from subflows.adapters.httpcore import NetworkBackend
>>> pool = httpcore.ConnectionPool(network_backend=NetworkBackend(control=True))
"""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Optional

import anyio
import anyio.abc
import anyio.streams.tls
import httpcore

import subflows

from ._options import CONNECT

__all__ = ["AsyncNetworkBackend", "NetworkBackend"]


@contextmanager
def _raising(timed_out: type[Exception], failed: type[Exception]) -> Iterator[None]:
    """Raises errors of sockets and of anyio as httpcore's."""
    try:
        yield
    # Different classes up to Python 3.9.
    except (TimeoutError, socket.timeout) as error:
        raise timed_out(str(error)) from error
    except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
        raise failed(str(error)) from error
    except anyio.EndOfStream as error:
        raise failed("the connection was closed") from error


def _is_readable(sock: Any) -> bool:
    """Whether a read would return at once. An idle connection is readable when the peer has closed it."""
    if sock.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _prepare(sock: socket.socket, options: Optional[Iterable[httpcore.SOCKET_OPTION]]) -> None:
    # As httpcore's own backends do.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for option in options or ():
        sock.setsockopt(*option)


class _Options:
    @CONNECT.shown
    def __init__(self, **options: Any) -> None:
        self._options = CONNECT.only(options)

    def _for(self, local_address: Optional[str]) -> dict[str, Any]:
        """The options of one connection; the pool's own ``local_address`` takes precedence."""
        own = {} if local_address is None else {"local": (local_address, 0)}
        return {**self._options, **own}


class _Stream(httpcore.NetworkStream):
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def read(self, max_bytes: int, timeout: Optional[float] = None) -> bytes:
        with _raising(httpcore.ReadTimeout, httpcore.ReadError):
            self._sock.settimeout(timeout)
            return self._sock.recv(max_bytes)

    def write(self, buffer: bytes, timeout: Optional[float] = None) -> None:
        with _raising(httpcore.WriteTimeout, httpcore.WriteError):
            self._sock.settimeout(timeout)
            self._sock.sendall(buffer)

    def close(self) -> None:
        self._sock.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: Optional[str] = None,
        timeout: Optional[float] = None,
    ) -> httpcore.NetworkStream:
        if isinstance(self._sock, ssl.SSLSocket):
            self.close()
            raise httpcore.UnsupportedProtocol("TLS within TLS, by a proxy reached with https")
        try:
            with _raising(httpcore.ConnectTimeout, httpcore.ConnectError):
                self._sock.settimeout(timeout)
                return _Stream(
                    ssl_context.wrap_socket(self._sock, server_hostname=server_hostname)
                )
        except BaseException:
            self.close()
            raise

    def get_extra_info(self, info: str) -> Any:
        if info == "socket":
            return self._sock
        if info == "ssl_object":
            return self._sock if isinstance(self._sock, ssl.SSLSocket) else None
        if info == "is_readable":
            return _is_readable(self._sock)
        if info == "client_addr":
            return self._sock.getsockname()
        if info == "server_addr":
            return self._sock.getpeername()
        return None


class NetworkBackend(_Options, httpcore.NetworkBackend):
    """For `httpcore.ConnectionPool`, with the keywords of `subflows.connect` except its timeout."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: Optional[float] = None,
        local_address: Optional[str] = None,
        socket_options: Optional[Iterable[httpcore.SOCKET_OPTION]] = None,
    ) -> httpcore.NetworkStream:
        """Connects. Each address of the host has the whole timeout."""
        with _raising(httpcore.ConnectTimeout, httpcore.ConnectError):
            sock = subflows.connect(
                (host, port), timeout=timeout, **self._for(local_address)
            )
            try:
                _prepare(sock, socket_options)
            except BaseException:
                sock.close()
                raise
        return _Stream(sock)


class _AsyncStream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: anyio.abc.ByteStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: Optional[float] = None) -> bytes:
        with _raising(httpcore.ReadTimeout, httpcore.ReadError), anyio.fail_after(timeout):
            try:
                return await self._stream.receive(max_bytes)
            except anyio.EndOfStream:
                return b""

    async def write(self, buffer: bytes, timeout: Optional[float] = None) -> None:
        # httpcore writes an empty body; up to TLS 1.2 that would end the stream.
        if not buffer:
            return
        with _raising(httpcore.WriteTimeout, httpcore.WriteError), anyio.fail_after(timeout):
            await self._stream.send(buffer)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: Optional[str] = None,
        timeout: Optional[float] = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            with _raising(httpcore.ConnectTimeout, httpcore.ConnectError):
                with anyio.fail_after(timeout):
                    wrapped = await anyio.streams.tls.TLSStream.wrap(
                        self._stream,
                        ssl_context=ssl_context,
                        hostname=server_hostname,
                        standard_compatible=False,
                        server_side=False,
                    )
        except BaseException:
            await anyio.aclose_forcefully(self._stream)
            raise
        return _AsyncStream(wrapped)

    def get_extra_info(self, info: str) -> Any:
        of_socket = anyio.abc.SocketAttribute
        if info == "socket":
            return self._stream.extra(of_socket.raw_socket)
        if info == "ssl_object":
            return self._stream.extra(anyio.streams.tls.TLSAttribute.ssl_object, None)
        if info == "is_readable":
            return _is_readable(self._stream.extra(of_socket.raw_socket))
        if info == "client_addr":
            return self._stream.extra(of_socket.local_address)
        if info == "server_addr":
            return self._stream.extra(of_socket.remote_address)
        return None


async def _connect(host: str, port: int, options: dict[str, Any]) -> socket.socket:
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    connecting = subflows.Connecting([remote for *_, remote in found], **options)
    try:
        while not connecting.advance():
            await anyio.wait_writable(connecting.fileno())
        sock = connecting.finish()
        sock.setblocking(False)
        return sock
    finally:
        # Does nothing after `finish`.
        connecting.cancel()


class AsyncNetworkBackend(_Options, httpcore.AsyncNetworkBackend):
    """The same for `httpcore.AsyncConnectionPool`, with asyncio and with trio."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: Optional[float] = None,
        local_address: Optional[str] = None,
        socket_options: Optional[Iterable[httpcore.SOCKET_OPTION]] = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connects. The timeout covers all addresses. If the task is cancelled, the attempt ends at once."""
        with _raising(httpcore.ConnectTimeout, httpcore.ConnectError), anyio.fail_after(timeout):
            sock = await _connect(host, port, self._for(local_address))
            try:
                _prepare(sock, socket_options)
                return _AsyncStream(await anyio.abc.SocketStream.from_socket(sock))
            except BaseException:
                sock.close()
                raise

    async def sleep(self, seconds: float) -> None:
        """Waits between two attempts to connect."""
        await anyio.sleep(seconds)
