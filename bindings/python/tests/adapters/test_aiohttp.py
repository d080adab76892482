"""Without these, aiohttp could connect by TCP, or lack a feature that it has by TCP."""

import asyncio

import aiohttp
import pytest
import uvloop
from aiohttp import web
from .both_ends import BODY, check, joined, kernels_token

import subflows
import subflows.aio
from subflows.adapters.aiohttp import ClientResponse, TCPConnector, site


@pytest.fixture(params=[asyncio, uvloop])
def run(request):
    """Runs a coroutine on the loop of the interpreter, or on uvloop's."""
    return lambda coroutine: request.param.run(asyncio.wait_for(coroutine, 60))


def sock_of(response):
    return response.connection.transport.get_extra_info("socket")


def test_a_client_downloads_over_two_subflows(served, certificates, run):
    async def main():
        connector = TCPConnector(control=True, ssl=certificates.client)
        async with aiohttp.ClientSession(connector=connector) as session:
            async with session.get(served.url) as response:
                check(sock_of(response), response.headers["Token"])
                assert await response.read() == BODY
            async with session.get(served.url) as again:
                assert again.headers["Token"] == response.headers["Token"]

    run(main())


async def tell(request):
    """Sends a body that is larger than the buffers, and the token at this end."""
    sock = request.transport.get_extra_info("socket")
    token = str(subflows.status(sock).token)
    return web.Response(body=BODY, headers={"Token": token})


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("tls", [False, True])
def test_client_and_server_with_the_verbs_of_asyncio(host, tls, certificates, run):
    async def main():
        app = web.Application()
        app.add_routes([web.get("/", tell)])
        runner = web.AppRunner(app)
        await runner.setup()
        await site(
            runner, host, 0, ssl_context=certificates.server if tls else None
        ).start()
        port = runner.addresses[0][1]
        name = f"[{host}]" if ":" in host else host
        url = f"{'https' if tls else 'http'}://{name}:{port}/"
        connector = TCPConnector(control=True, ssl=certificates.client)
        async with aiohttp.ClientSession(connector=connector) as session:
            async with session.get(url) as response:
                transport = response.connection.transport
                sock = transport.get_extra_info("socket")
                here, there = subflows.status(sock).token, int(response.headers["Token"])
                [first] = subflows.list(sock)
                assert kernels_token(first.remote, first.local) == there
                extra = await subflows.aio.open(
                    transport, local=host if ":" in host else "127.0.0.2"
                )
                assert joined(there, here) == 1
                assert [path.id for path in subflows.list(sock)] == [first.id, extra.id]
                assert await response.read() == BODY
        await runner.cleanup()

    run(main())


def test_options_reach_the_socket(served, certificates, run):
    async def main():
        connector = TCPConnector(local=("127.0.0.5", 0), interface="lo", ssl=certificates.client)
        async with aiohttp.ClientSession(connector=connector) as session:
            async with session.get(served.url) as response:
                sock = sock_of(response)
                [path] = subflows.list(sock)
                assert path.local[0] == "127.0.0.5"
                assert subflows.details(sock, path.id).interface == "lo"
                assert subflows.status(sock).path_manager is subflows.PathManager.KERNEL

    run(main())


def test_failures_are_those_of_the_library(silence, run):
    async def get(url, **options):
        timeout = aiohttp.ClientTimeout(sock_connect=0.2)
        connector = TCPConnector(**options)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            await session.get(url)

    with pytest.raises(aiohttp.ClientConnectorError):
        run(get("http://127.0.0.1:1/"))
    with pytest.raises(aiohttp.ClientConnectorError):
        run(get("http://127.0.0.1:1/", interface="none"))
    with pytest.raises(aiohttp.ConnectionTimeoutError):
        run(get("http://%s:%d/" % silence))


def test_a_factory_of_ones_own_is_refused():
    with pytest.raises(TypeError, match="socket_factory"):
        TCPConnector(socket_factory=lambda info: subflows.socket(info[0]))


def test_a_site_that_is_refused_leaves_nothing(run):
    async def main():
        runner = web.AppRunner(web.Application())
        await runner.setup()
        with pytest.raises(TypeError):
            site(runner, "127.0.0.1", 0, no_such_option=True)
        with pytest.raises(subflows.AddressNotAvailableError):
            site(runner, "192.0.2.1", 0)
        await runner.cleanup()

    run(main())


@pytest.mark.parametrize("path", ["short", "empty", ""])
def test_a_response_leads_to_its_connection_also_after_its_end(served, certificates, run, path):
    async def main():
        connector = TCPConnector(control=True, ssl=certificates.client)
        async with aiohttp.ClientSession(
            connector=connector, response_class=ClientResponse
        ) as session:
            async with session.get(served.url + path) as response:
                here = subflows.status(response).token
                extra = await subflows.aio.open(response, local="127.0.0.2")
                await response.read()
            assert [path.id for path in subflows.list(response)] == [1, extra.id]
            async with session.get(served.url + path) as again:
                assert subflows.status(again).token == here
        # aiohttp closes the transports in the next turns of the loop.
        while response.fileno() >= 0:
            await asyncio.sleep(0.001)
        with pytest.raises(ValueError, match="ClientResponse is closed"):
            subflows.list(response)

    run(main())


def test_a_response_of_aiohttp_itself_is_taken_while_it_is_read(served, certificates, run):
    async def main():
        connector = TCPConnector(control=True, ssl=certificates.client)
        async with aiohttp.ClientSession(connector=connector) as session:
            async with session.get(served.url) as response:
                assert len(subflows.list(response)) == 1
                await response.read()
            with pytest.raises(ValueError, match="before its last byte"):
                subflows.list(response)

    run(main())
