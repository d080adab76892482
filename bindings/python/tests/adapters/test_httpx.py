"""Without these, httpx could connect by TCP, or lack a feature that it has by TCP."""

import anyio
import httpcore
import httpx
import pytest
from .both_ends import BODY, check

import subflows
from subflows.adapters.httpcore import AsyncNetworkBackend, NetworkBackend
from subflows.adapters.httpx import AsyncHTTPTransport, HTTPTransport


class Sync:
    """Runs the tests with the synchronous client."""

    def __init__(self, **options) -> None:
        self.options = options

    def stream(self, url, look=lambda response: None, *, times=1, timeout=10):
        """Reads a response several times, after a check of each."""
        with httpx.Client(transport=HTTPTransport(**self.options), timeout=timeout) as client:
            for _ in range(times):
                with client.stream("GET", url) as response:
                    look(response)
                    body = b"".join(response.iter_bytes())
        return body


class Async(Sync):
    """Runs them on an event loop."""

    backend = "asyncio"

    def stream(self, url, look=lambda response: None, *, times=1, timeout=10):
        async def main():
            transport = AsyncHTTPTransport(**self.options)
            async with httpx.AsyncClient(transport=transport, timeout=timeout) as client:
                for _ in range(times):
                    async with client.stream("GET", url) as response:
                        look(response)
                        body = b"".join([part async for part in response.aiter_bytes()])
            return body

        options = {"use_uvloop": True} if self.backend == "uvloop" else {}
        backend = "trio" if self.backend == "trio" else "asyncio"
        return anyio.run(main, backend=backend, backend_options=options)


class Uvloop(Async):
    backend = "uvloop"


class Trio(Async):
    backend = "trio"


every_way = pytest.mark.parametrize("way", [Sync, Async, Uvloop, Trio])


def sock_of(response):
    return response.extensions["network_stream"].get_extra_info("socket")


@every_way
def test_a_client_downloads_over_two_subflows(way, served, certificates):
    player = way(control=True, verify=certificates.client)
    tokens = []

    def look(response) -> None:
        tokens.append(response.headers["Token"])
        if len(tokens) == 1:
            check(sock_of(response), tokens[0])
        assert len(subflows.list(sock_of(response))) == 2

    assert player.stream(served.url, look, times=2) == BODY
    # The connection was kept and reused.
    assert tokens[0] == tokens[1]


@every_way
def test_options_reach_the_socket(way, served, certificates):
    def look(response) -> None:
        sock = sock_of(response)
        [path] = subflows.list(sock)
        assert path.local[0] == "127.0.0.5"
        assert subflows.details(sock, path.id).interface == "lo"
        assert subflows.status(sock).path_manager is subflows.PathManager.KERNEL
        assert response.extensions["network_stream"].get_extra_info("client_addr") == path.local
        assert response.extensions["network_stream"].get_extra_info("server_addr") == path.remote

    way(local=("127.0.0.5", 0), interface="lo", verify=certificates.client).stream(
        served.url, look
    )


@every_way
def test_failures_are_those_of_the_library(way, silence, served):
    with pytest.raises(httpx.ConnectError):
        way().stream("http://127.0.0.1:1/")
    with pytest.raises(httpx.ConnectError):
        way(interface="none").stream(served.url)
    with pytest.raises(httpx.ConnectTimeout):
        way().stream("http://%s:%d/" % silence, timeout=0.2)
    with pytest.raises(httpx.UnsupportedProtocol):
        way().stream("gopher://127.0.0.1/")
    if served.url.startswith("https"):
        # It does not know the certificate authority.
        with pytest.raises(httpx.ConnectError):
            way().stream(served.url)


@every_way
def test_a_silent_server_is_waited_for_until_the_timeout(way):
    with subflows.listen(("127.0.0.1", 0)) as listener:
        with pytest.raises(httpx.ReadTimeout):
            way().stream("http://%s:%d/" % listener.getsockname(), timeout=0.2)


@pytest.mark.parametrize("wrong", [{"proxy": "http://127.0.0.1:1"}, {"uds": "/none"}])
@pytest.mark.parametrize("transport", [HTTPTransport, AsyncHTTPTransport])
def test_what_it_does_not_do_is_refused_by_name(transport, wrong):
    with pytest.raises(TypeError, match=next(iter(wrong))):
        transport(**wrong)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancelled_attempt_leaves_nothing(backend, silence):
    async def main():
        with anyio.move_on_after(0.2) as scope:
            await AsyncNetworkBackend().connect_tcp(*silence)
        assert scope.cancelled_caught

    def waiting():
        return [known for known in subflows.connections() if known.remote == silence]

    before = len(waiting())
    anyio.run(main, backend=backend)
    assert len(waiting()) == before


@pytest.mark.parametrize("served", ["https"], indirect=True)
def test_tls_within_tls_is_refused(served, certificates):
    stream = NetworkBackend().connect_tcp(*served.address)
    inner = stream.start_tls(certificates.client, "127.0.0.1")
    with pytest.raises(httpcore.UnsupportedProtocol):
        inner.start_tls(certificates.client, "127.0.0.1")
    assert inner.get_extra_info("socket").fileno() == -1
