"""Without these, a program that passes a wrong argument would not see what to pass instead."""

import asyncio
import copy
import http.client
import ipaddress
import pickle
import ssl
import subprocess
import sys

import pytest

import subflows
import subflows.aio


class Leads:
    """An object of a library that leads to a socket."""

    def __init__(self, **attributes) -> None:
        self.__dict__.update(attributes)


WRONG = [
    # An id.
    (lambda s, x: subflows.close(s, x), TypeError, "pass subflow.id"),
    (lambda s, x: subflows.details(s, "1"), TypeError, "pass subflow.id"),
    (lambda s, x: subflows.set_backup(s, None, True), TypeError, "pass subflow.id"),
    (lambda s, x: subflows.close(s, -1), ValueError, "from 0 to"),
    (lambda s, x: subflows.close(s, 1 << 70), ValueError, "from 0 to"),
    # A token.
    (lambda s, x: subflows.connection("1f2e"), TypeError, "int(token, 16)"),
    (lambda s, x: subflows.connection(subflows.status(s)), TypeError, "status(sock).token"),
    # An address.
    (lambda s, x: subflows.connect("server.example:443"), TypeError, 'pass ("server.example", 443)'),
    (lambda s, x: subflows.connect("[::1]:443"), TypeError, 'pass ("::1", 443)'),
    (lambda s, x: subflows.listen("::1"), TypeError, 'pass ("::1", 0)'),
    (lambda s, x: subflows.listen(8080), TypeError, "(host, port)"),
    (lambda s, x: subflows.connect(("127.0.0.1", "80")), TypeError, "port of an address must be a number"),
    (lambda s, x: subflows.connect(("127.0.0.1", 80_000)), ValueError, "from 0 to 65535"),
    (lambda s, x: subflows.connect((b"127.0.0.1", 80)), TypeError, "must be text"),
    (lambda s, x: subflows.connect(("127.0.0.1", 80), local="127.0.0.1"), TypeError, '("127.0.0.1", 0)'),
    (lambda s, x: subflows.open(s, remote="127.0.0.1"), TypeError, '("127.0.0.1", 0)'),
    (lambda s, x: subflows.open(s, local=("127.0.0.1", 0)), TypeError, "pass the host alone"),
    (lambda s, x: subflows.open(s, local="wwan0"), ValueError, "pass an address"),
    # An option of a subflow.
    (lambda s, x: subflows.get_option(s, x.id, "frobnicate"), ValueError, 'name such as "mark"'),
    (lambda s, x: subflows.get_option(s, x.id, 1 << 40), ValueError, 'name such as "mark"'),
    (lambda s, x: subflows.get_option(s, x.id, None), TypeError, "pass a SubflowOption"),
    (lambda s, x: subflows.get_option(s, x, "mark"), TypeError, "pass subflow.id"),
    (lambda s, x: subflows.set_option(s, x.id, "mark", None), TypeError, "pass an int, a bool, a str or bytes"),
    (lambda s, x: subflows.get_raw_option(s, x.id, -1, 36, 4), ValueError, "level must be a number from 0 to"),
    (lambda s, x: subflows.get_raw_option(s, x.id, 1, 1 << 40, 4), ValueError, "number must be a number from"),
    (lambda s, x: subflows.set_raw_option(s, x.id, 1, -1, b"1234"), ValueError, "number must be a number from"),
    # Other options.
    (lambda s, x: subflows.open(s, interface=2), TypeError, 'pass a name such as "wwan0"'),
    (lambda s, x: subflows.open(s, local_port=70_000), ValueError, "local_port must be a number from 0 to"),
    (lambda s, x: subflows.open(s, timeout=-1), ValueError, "pass seconds"),
    (lambda s, x: subflows.listen(("", 0), backlog=-1), ValueError, "backlog must be a number from 0 to"),
    (lambda s, x: subflows.socket(1), ValueError, "AF_INET"),
    # A socket.
    (lambda s, x: subflows.list(None), TypeError, "fileno()"),
    (lambda s, x: subflows.list("socket"), TypeError, "fileno()"),
    (lambda s, x: subflows.list(-1), ValueError, "fileno()"),
    (lambda s, x: subflows.list(http.client.HTTPConnection("server.example")), ValueError, "connected"),
    (lambda s, x: subflows.list(Leads(connection=None)), ValueError, "before its last byte"),
    (lambda s, x: subflows.list(Leads(sockets=())), TypeError, "one of its `sockets`"),
]


@pytest.mark.parametrize("call, kind, remedy", WRONG)
def test_a_wrong_argument_names_what_to_pass(pair, call, kind, remedy):
    extra = subflows.open(pair.client, local="127.0.0.2")
    with pytest.raises(kind) as raised:
        call(pair.client, extra)
    assert remedy in str(raised.value)
    assert len(subflows.list(pair.client)) == 2


def test_a_closed_socket_is_named():
    closed = subflows.socket()
    closed.close()
    with pytest.raises(ValueError, match="this socket is closed"):
        subflows.status(closed)


def test_an_address_may_be_of_the_module_ipaddress(pair):
    host, port = pair.listener.getsockname()
    with subflows.connect((ipaddress.ip_address(host), port)) as sock:
        assert sock.getpeername() == (host, port)


def test_what_leads_to_a_socket_is_taken(pair):
    sock, ids = pair.client, [path.id for path in subflows.list(pair.client)]
    with sock.makefile("rb") as file, sock.makefile("r") as text:
        around = Leads(raw=Leads(socket=sock))
        for given in (sock, sock.fileno(), file, text, Leads(sock=sock), Leads(transport=around)):
            assert [path.id for path in subflows.list(given)] == ids
    # Python's class for both directions does not lead to its socket.
    with sock.makefile("rwb") as both, pytest.raises(TypeError, match="BufferedRWPair is not a socket"):
        subflows.list(both)
    waiting = subflows.aio.open_connection("127.0.0.1", 1)
    with pytest.raises(TypeError, match="a coroutine is not a socket yet: await it"):
        subflows.list(waiting)
    waiting.close()
    endless = Leads()
    endless.transport = endless
    with pytest.raises(TypeError, match="leads to none"):
        subflows.list(endless)


def test_asyncios_objects_are_taken():
    async def main() -> None:
        accepted = asyncio.get_running_loop().create_future()

        def serve(reader, writer) -> None:
            writer.write(b"x")
            accepted.set_result(writer)

        server = await subflows.aio.start_server(serve, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        reader, writer = await subflows.aio.open_connection(*address, control=True)
        await reader.readexactly(1)
        sock = writer.get_extra_info("socket")
        extra = subflows.open(writer, local="127.0.0.2")
        for given in (writer, writer.transport, sock):
            assert [path.id for path in subflows.list(given)] == [1, extra.id]
        await subflows.aio.open(writer.transport, local="127.0.0.3")
        async with subflows.aio.events(sock) as events:
            subflows.close(writer, extra.id)
            assert (await events.__anext__()).kind is subflows.EventKind.SUBFLOW_CLOSED
        with pytest.raises(TypeError, match="sockets"):
            subflows.list(server)
        with pytest.raises(TypeError, match="StreamWriter"):
            subflows.list(reader)
        bio = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="x")
        with pytest.raises(TypeError, match="SSLObject"):
            subflows.list(bio)
        writer.close()
        await writer.wait_closed()
        with pytest.raises(ValueError, match="closed"):
            subflows.list(writer)
        (await accepted).close()
        server.close()

    asyncio.run(main())


@pytest.mark.parametrize("keyword", ["sock", "all_errors", "nonsense"])
def test_what_open_connection_cannot_pass_on_is_refused(pair, keyword):
    host, port = pair.listener.getsockname()
    with pytest.raises(TypeError, match=keyword):
        asyncio.run(subflows.aio.open_connection(host, port, **{keyword: 1}))


@pytest.mark.parametrize("keyword", ["sock", "family", "flags", "reuse_address", "reuse_port", "nonsense"])
def test_what_start_server_cannot_pass_on_is_refused(keyword):
    with pytest.raises(TypeError, match=keyword):
        asyncio.run(subflows.aio.start_server(lambda r, w: None, "127.0.0.1", 0, **{keyword: 1}))


def test_records_are_pickled_and_copied(pair):
    extra = subflows.open(pair.client, local="127.0.0.2")
    records = [
        subflows.status(pair.client),
        subflows.info(pair.client),
        *subflows.list(pair.client),
        subflows.details(pair.client, extra.id),
        *subflows.connections(subflows=True),
        *subflows.capabilities(),
    ]
    with subflows.announce(pair.client, "127.0.0.5"), subflows.events(pair.client) as events:
        records += subflows.addresses(pair.client)
        subflows.close(pair.client, extra.id)
        records.append(events.next(10))
    for record in records:
        for again in (pickle.loads(pickle.dumps(record)), copy.copy(record), copy.deepcopy(record)):
            assert type(again) is type(record) and again == record and record == again
            assert not again != record
            assert repr(again) == repr(record) and again.asdict() == record.asdict()
            assert pickle.dumps(again) == pickle.dumps(record)
    assert extra != records[0] and extra != 2


def test_the_module_is_the_command():
    run = subprocess.run(
        [sys.executable, "-m", "subflows", "--version"], check=True, capture_output=True, text=True
    )
    assert run.stdout == f"subflows {subflows.__version__}\n"
