"""Without these, urllib3 and requests could connect by TCP, or lack a feature that they have by TCP."""

import pickle
import socket

import pytest
import requests
import urllib3
from .both_ends import BODY, check

import subflows
from subflows.adapters.requests import HTTPAdapter
from subflows.adapters.urllib3 import HTTPConnection, PoolManager, upgrade


@pytest.fixture
def session(certificates):
    with requests.Session() as session:
        session.trust_env = False
        session.verify = certificates.authority
        yield session


def mount(session, **options) -> None:
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(**options))


def test_urllib3_downloads_over_two_subflows(served, certificates):
    with PoolManager(control=True, ssl_context=certificates.client) as http:
        with http.request("GET", served.url, preload_content=False) as response:
            check(response, response.headers["Token"])
            assert response.read() == BODY


def test_requests_downloads_over_two_subflows(served, session):
    mount(session, control=True)
    with session.get(served.url, stream=True) as response:
        check(response.raw, response.headers["Token"])
        assert response.content == BODY
        # The connection is kept and reused.
        with session.get(served.url, stream=True) as again:
            assert again.headers["Token"] == response.headers["Token"]
            assert len(subflows.list(again.raw)) == 2


def test_without_control_the_kernel_manages_the_paths(served, session):
    mount(session)
    with session.get(served.url, stream=True) as response:
        assert subflows.status(response.raw).path_manager is subflows.PathManager.KERNEL


def test_the_local_address_is_chosen(served, session):
    mount(session, local=("127.0.0.5", 0))
    with session.get(served.url, stream=True) as response:
        [path] = subflows.list(response.raw)
        assert path.local[0] == "127.0.0.5"


def test_the_interface_is_chosen(served, session):
    mount(session, interface="lo")
    with session.get(served.url, stream=True) as response:
        [connection] = [
            known
            for known in subflows.connections(subflows=True)
            if known.local == subflows.list(response.raw)[0].local
        ]
        assert connection.subflows[0].interface == "lo"
    mount(session, interface="none")
    with pytest.raises(requests.ConnectionError):
        session.get(served.url)


def test_failures_are_those_of_the_library(silence, session):
    mount(session)
    with PoolManager(retries=False) as http:
        with pytest.raises(urllib3.exceptions.NewConnectionError) as told:
            http.request("GET", "http://127.0.0.1:1/")
        assert isinstance(told.value.__cause__, subflows.RefusedError)
        with pytest.raises(urllib3.exceptions.NameResolutionError):
            http.request("GET", "http://name.invalid/")
        host, port = silence
        with pytest.raises(urllib3.exceptions.ConnectTimeoutError):
            http.request("GET", f"http://{host}:{port}/", timeout=0.2)
    with pytest.raises(requests.ConnectTimeout):
        session.get(f"http://{host}:{port}/", timeout=0.2)
    with pytest.raises(requests.ConnectionError):
        session.get("http://127.0.0.1:1/")


def test_names_are_asked_for_as_the_library_does(monkeypatch):
    asked = []

    def unknown(host, *_, **__):
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with PoolManager(retries=False) as http:
        # With a final dot, the resolver does not try search domains.
        with pytest.raises(urllib3.exceptions.NameResolutionError):
            http.request("GET", "http://name.invalid./")
        for host in ("a..b", "a" * 64):
            with pytest.raises(urllib3.exceptions.LocationParseError):
                http.request("GET", f"http://{host}/")
    assert asked == ["name.invalid."]


def test_an_address_may_stand_in_brackets():
    with subflows.listen(("::1", 0)) as listener:
        connection = HTTPConnection("[::1]", listener.getsockname()[1])
        connection.connect()
        assert connection.sock.getpeername()[0] == "::1"
        connection.close()


def test_the_time_to_read_is_the_librarys(served, session):
    mount(session)
    # Answers the TLS handshake, if any; otherwise the client would wait forever.
    with session.get(served.url, stream=True, timeout=(5, 7)) as response:
        assert response.raw.connection.sock.gettimeout() == 7


@pytest.mark.parametrize("served", ["http"], indirect=True)
def test_a_proxy_is_reached_by_multipath_tcp(served, session):
    mount(session, control=True)
    # A request to a forwarding proxy is an ordinary one with a whole URL.
    session.proxies = {"http": served.url}
    with session.get("http://name.invalid/", stream=True) as response:
        check(response.raw, response.headers["Token"])


def test_a_socks_proxy_is_refused(session):
    mount(session)
    session.proxies = {"http": "socks5://127.0.0.1:1"}
    for _ in range(2):
        with pytest.raises(ValueError, match="SOCKSProxyManager"):
            session.get("http://127.0.0.1:1/")


def test_a_manager_is_not_made_multipath_twice():
    with PoolManager() as http, pytest.raises(ValueError):
        upgrade(http)


def test_an_adapter_can_be_pickled(served, session):
    adapter = pickle.loads(pickle.dumps(HTTPAdapter(control=True, local=("127.0.0.5", 0))))
    session.mount(served.url, adapter)
    with session.get(served.url, stream=True) as response:
        assert subflows.list(response.raw)[0].local[0] == "127.0.0.5"
        check(response.raw, response.headers["Token"])


@pytest.mark.parametrize("path", ["short", "empty", ""])
def test_a_response_leads_to_its_connection_also_after_its_end(served, session, path):
    mount(session, control=True)
    response = session.get(served.url + path)
    assert response.raw.closed or response.raw.isclosed()
    extra = subflows.open(response, local="127.0.0.2")
    assert [path.id for path in subflows.list(response.raw)] == [1, extra.id]
    again = session.get(served.url + path)
    assert len(subflows.list(again)) == 2
    # A closed session's pool lives as long as its responses.
    response.raw._pool.close()
    with pytest.raises(ValueError, match="closed"):
        subflows.list(response)
