"""Without these, TLS could go over TCP, or the functions could reject its sockets."""

import socket
import ssl
import threading

import pytest
from .both_ends import joined, kernels_token

import subflows
import subflows.adapters.ssl


def handshakes(listener, context=None):
    """Accepts one connection in a thread, which answers the handshake."""
    accepted = []

    def accept() -> None:
        try:
            sock, _ = listener.accept()
            accepted.append(sock)
        except OSError as error:
            accepted.append(error)

    thread = threading.Thread(target=accept)
    thread.start()

    def result():
        thread.join(10)
        [given] = accepted
        return given

    return result


@pytest.fixture
def ends(certificates):
    """Both ends of a TLS connection; the client controls its paths."""
    with subflows.adapters.ssl.listen(("127.0.0.1", 0), certificates.server) as listener:
        listener.settimeout(10)
        server = handshakes(listener)
        client = subflows.adapters.ssl.connect(
            listener.getsockname(), context=certificates.client, control=True, timeout=10
        )
        with client, server() as accepted:
            yield client, accepted


def talk(a: socket.socket, b: socket.socket) -> None:
    for one, other in ((a, b), (b, a)):
        one.settimeout(10)
        other.settimeout(10)
        one.sendall(b"x")
        assert other.recv(1) == b"x"


def test_tls_has_two_subflows_and_every_verb(ends):
    client, server = ends
    talk(client, server)
    assert isinstance(client, ssl.SSLSocket) and isinstance(server, ssl.SSLSocket)
    here, there = subflows.status(client).token, subflows.status(server).token
    assert kernels_token(client.getsockname(), client.getpeername()) == here
    assert kernels_token(server.getsockname(), server.getpeername()) == there
    with subflows.events(client) as events:
        extra = subflows.open(client, local="127.0.0.2")
        assert joined(there, here) == 1
        assert events.next(10).kind is subflows.EventKind.SUBFLOW_ESTABLISHED
    assert subflows.details(client, extra.id).is_additional
    subflows.set_backup(client, extra.id, True)
    assert subflows.details(client, extra.id).is_backup
    assert subflows.info(client).token == here and len(subflows.list(server)) == 2
    with subflows.announce(client, "127.0.0.3"):
        assert [known.ip for known in subflows.addresses(client) if known.is_announced]
    subflows.close(client, extra.id)
    assert len(subflows.list(client)) == 1
    talk(client, server)


def test_a_connection_goes_over_to_tls_with_its_subflows(pair, certificates):
    extra = subflows.open(pair.client, local="127.0.0.2")
    wrapped = []
    thread = threading.Thread(
        target=lambda: wrapped.append(
            certificates.server.wrap_socket(pair.server, server_side=True)
        )
    )
    thread.start()
    client = certificates.client.wrap_socket(pair.client, server_hostname="localhost")
    thread.join(10)
    with client, wrapped[0] as server:
        assert [path.id for path in subflows.list(client)] == [1, extra.id]
        talk(client, server)


def test_a_stranger_is_refused_and_nothing_is_left(certificates):
    with subflows.adapters.ssl.listen(("127.0.0.1", 0), certificates.server) as listener:
        server = handshakes(listener)
        with pytest.raises(ssl.SSLCertVerificationError):
            subflows.adapters.ssl.connect(
                ("127.0.0.1", listener.getsockname()[1]),
                context=certificates.client,
                server_hostname="other.example",
            )
        assert isinstance(server(), OSError)


def test_a_handshake_without_answer_ends_with_its_time(certificates):
    with subflows.listen(("127.0.0.1", 0)) as listener:
        with pytest.raises(socket.timeout):
            subflows.adapters.ssl.connect(
                listener.getsockname(), context=certificates.client, timeout=0.2
            )
        given_up, _ = listener.accept()
        with given_up:
            given_up.settimeout(10)
            while given_up.recv(4096):
                pass


def test_options_are_those_of_connect_and_listen(certificates):
    with subflows.adapters.ssl.listen(
        ("127.0.0.1", 0), certificates.server, interface="lo", backlog=7
    ) as listener:
        server = handshakes(listener)
        with subflows.adapters.ssl.connect(
            listener.getsockname(),
            context=certificates.client,
            local=("127.0.0.5", 0),
            interface="lo",
        ) as client, server() as accepted:
            assert accepted.getpeername()[0] == "127.0.0.5"
            assert client.gettimeout() is None
            assert subflows.status(client).path_manager is subflows.PathManager.KERNEL
    with pytest.raises(TypeError):
        subflows.adapters.ssl.listen(("127.0.0.1", 0), certificates.server, control=True)
