"""Without these, a server that is started as usual could lose requests by Multipath TCP."""

from __future__ import annotations

import sys

import load
import pytest

FD = ["--fd", "3"]
THREADS = ["--worker-class=gthread", "--threads=8"]

SERVERS = {
    # The default of 2 s is shorter than the pause of a connection that has lost a path.
    "gunicorn": ["gunicorn", "--keep-alive=30", "--workers=2", *THREADS, "app:wsgi"],
    "uvicorn": ["uvicorn", *FD, "--log-level=warning", "app:asgi"],
    "uvicorn with workers": ["uvicorn", *FD, "--workers=2", "--log-level=warning", "app:asgi"],
    "aiohttp": ["app"],
}


@pytest.fixture(params=SERVERS)
def address(request, inside):
    module, *options = SERVERS[request.param]
    with load.activated(inside, sys.executable, "-m", module, *options) as found:
        yield found


def test_a_thousand_requests_by_tcp(address):
    load.by_tcp(address)


def test_a_thousand_requests_by_multipath_tcp_with_a_path_cut(address, inside):
    load.by_multipath_tcp(address, inside)
