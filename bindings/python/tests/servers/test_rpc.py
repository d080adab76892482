"""Without these, programs that make their own sockets could lose requests by Multipath TCP."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import subprocess
import sys

import load
import net
import pytest

import subflows

RPC = load.HERE / "rpc.py"
SETTING = pathlib.Path("/proc/sys/net/mptcp/pm_type")


@contextlib.contextmanager
def asking(prefix: list[str], address: tuple[str, int]):
    """A client that has half of its answers."""
    command = [*prefix, sys.executable, RPC, "ask", address[0], str(address[1]), str(load.REQUESTS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        try:
            assert client.stdout.readline() == "half\n"
            yield client
            answered = client.communicate("\n", timeout=120)[0]
            assert (client.wait(), answered) == (0, f"{load.REQUESTS}\n")
        finally:
            client.kill()


def serving(prefix: list[str]):
    return load.running([*prefix, sys.executable, RPC, "serve", "10.0.1.1", "0"])


def test_a_thousand_calls_of_grpc_by_tcp(inside):
    with serving(inside) as address, asking([], address):
        assert not subflows.connections()


@pytest.fixture
def controlled():
    """Programs manage the paths of the connections that begin in this namespace."""
    before = SETTING.read_text()
    SETTING.write_text("1")
    yield
    SETTING.write_text(before)


def test_a_thousand_calls_of_grpc_by_multipath_tcp_with_a_path_cut(inside, controlled):
    mptcpize = shutil.which("mptcpize") or pytest.skip("mptcpize is not installed")
    prefix = [mptcpize, "run"]
    with serving([*inside, *prefix]) as address, asking(prefix, address):
        # As GUIDE.md describes: the command opens the path of a program that cannot be changed.
        (connection,) = subflows.connections()
        command = [sys.executable, "-m", "subflows", "open", f"{connection.token:#x}", "--interface", "lte"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        net.cut(inside, "wifi")
    net.mend(inside)
