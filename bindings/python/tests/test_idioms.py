"""Without these, the module would not follow the conventions of Python."""

import doctest
import enum
import gc
import inspect
import ipaddress
import os
import pickle
import socket
import threading

import pytest

import subflows


def test_sockets_are_sockets_of_python(pair):
    assert type(pair.client) is socket.socket
    of_client = (pair.client.family, pair.client.type, pair.client.proto)
    assert of_client == (socket.AF_INET, socket.SOCK_STREAM, 0)
    assert pair.client.gettimeout() == 10
    assert subflows.connect(pair.listener.getsockname()).gettimeout() is None


def test_addresses_are_as_getsockname_gives_them(managed):
    [path] = subflows.list(managed.client)
    assert path.local == managed.client.getsockname()
    assert path.remote == managed.client.getpeername()


def test_a_v4_mapped_address_is_the_v4_address():
    with subflows.listen(("::", 0)) as listener:
        port = listener.getsockname()[1]
        with subflows.connect(("127.0.0.1", port)) as client:
            server, _ = listener.accept()
            with server:
                [path] = subflows.list(server)
                assert path.remote == client.getsockname()


def test_any_object_with_a_fileno_is_a_socket(pair):
    class Wrapper:
        def fileno(self) -> int:
            return pair.client.fileno()

    listed = subflows.list(pair.client)
    assert subflows.list(pair.client.fileno())[0].local == listed[0].local
    assert subflows.list(Wrapper())[0].local == listed[0].local
    with pair.client.makefile("rb") as file:
        assert subflows.list(file)[0].local == listed[0].local


@pytest.mark.parametrize("wrong", [None, "3", 1.5, object(), -1])
def test_a_value_that_is_not_a_descriptor_is_refused(wrong):
    with pytest.raises((TypeError, ValueError)):
        subflows.list(wrong)


def test_records_are_values(pair):
    first, second = subflows.list(pair.client)[0], subflows.list(pair.client)[0]
    assert first.id == 1 and isinstance(first.state, enum.IntEnum)
    assert repr(first).startswith("Subflow(id=1, local=('127.0.0.1', ")
    assert first.asdict()["remote"] == pair.client.getpeername()
    assert type(first).local.__doc__
    assert first == first and (first == second) in (True, False) and first != 1
    with pytest.raises(AttributeError):
        first.id = 2
    with pytest.raises(TypeError):
        subflows.Subflow()
    [connection] = [c for c in subflows.connections(subflows=True) if c.local == first.local]
    told = connection.asdict()
    assert told["info"]["subflows"] == 1 and told["subflows"][0]["local"] == first.local


def test_an_error_is_of_its_kind_and_of_the_built_in_one(pair):
    with pytest.raises(ConnectionRefusedError) as told:
        subflows.connect(("127.0.0.1", 1))
    error = told.value
    assert isinstance(error, subflows.RefusedError) and isinstance(error, subflows.SubflowsError)
    assert (error.kind, error.operation, error.errno) == ("Refused", "connect", 111)
    assert error.remedy in str(error)
    with pytest.raises(subflows.NoSuchSubflowError):
        subflows.details(pair.client, 77)
    with pytest.raises(PermissionError if os.geteuid() else subflows.AddressNotAvailableError):
        subflows.open(pair.client, interface="none")
    assert pair.moves_data()


def test_open_and_close(pair):
    extra = subflows.open(pair.client, local=ipaddress.ip_address("127.0.0.2"), backup=True)
    assert extra.local[0] == "127.0.0.2"
    assert subflows.details(pair.client, extra.id).is_backup
    subflows.close(pair.client, extra.id)
    assert [path.id for path in subflows.list(pair.client)] == [1]
    with pytest.raises(subflows.InvalidStateError):
        subflows.close(pair.client, 1)
    assert pair.moves_data()


def test_events_are_an_iterator(pair):
    with subflows.events(pair.client) as events:
        assert events.next(0) is None
        extra = subflows.open(pair.client, local="127.0.0.2")
        event = next(events)
        assert (event.kind, event.local) == (
            subflows.EventKind.SUBFLOW_ESTABLISHED,
            extra.local,
        )
    with pytest.raises(ValueError):
        events.next(0)


def test_an_announcement_is_withdrawn_when_forgotten(pair):
    def is_announced() -> bool:
        return any(known.is_announced for known in subflows.addresses(pair.client))

    with subflows.announce(pair.client, "127.0.0.3", port=0) as here:
        assert here.address[0] == "127.0.0.3" and here.id > 0 and here.turn_away() == 0
        assert is_announced()
    assert not is_announced()
    subflows.announce(pair.client, "127.0.0.3")
    gc.collect()
    assert not is_announced()


def test_a_fork_reads_and_withdraws_nothing_of_its_parent(pair):
    here = subflows.announce(pair.client, "127.0.0.3")
    child = os.fork()
    if child == 0:
        try:
            assert len(subflows.list(pair.client)) == 1
            assert subflows.connection(subflows.info(pair.client).token)
            del here
            gc.collect()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert any(known.is_announced for known in subflows.addresses(pair.client))
    here.withdraw()


def test_many_threads_ask_at_once(pair):
    failures = []

    def ask() -> None:
        try:
            for _ in range(200):
                assert subflows.list(pair.client) and subflows.status(pair.client).token
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


FUNCTIONS = [name for name in subflows.__all__ if inspect.isbuiltin(getattr(subflows, name))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_docstring_describes_every_argument_and_its_example_runs(pair, name):
    function = getattr(subflows, name)
    for parameter in inspect.signature(function).parameters:
        assert parameter == "sock" or f"`{parameter}`" in function.__doc__, parameter
    names = {"subflows": subflows, "sock": pair.client, "server": pair.listener}
    test = doctest.DocTestParser().get_doctest(function.__doc__, names, name, None, None)
    assert test.examples
    assert doctest.DocTestRunner().run(test).failed == 0


def test_a_name_that_does_not_resolve_is_the_resolvers_error():
    with pytest.raises(socket.gaierror):
        subflows.connect(("nowhere.invalid", 80))
    with subflows.listen(("localhost", 0)) as listener:
        assert subflows.status(listener).state is subflows.State.LISTENING


def test_enumerations_know_their_numbers():
    assert subflows.State(3) is subflows.State.MPTCP
    assert pickle.loads(pickle.dumps(subflows.State.TCP)) is subflows.State.TCP
