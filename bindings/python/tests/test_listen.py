"""Without these, a listener without a host could reject the clients of one family."""

import contextlib
import os
import socket
import subprocess
import sys

import pytest

import subflows


def accepts(listener: socket.socket, host: str) -> bool:
    """Whether a client that connects to this address is accepted."""
    with contextlib.closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)) as tcp:
        listener.settimeout(5)
        if tcp.connect_ex((host, listener.getsockname()[1])):
            return False
        listener.accept()[0].close()
        return True


@pytest.mark.parametrize("host", ["", None])
def test_without_a_host_both_families_are_accepted(host):
    with subflows.listen((host, 0)) as listener:
        assert listener.family is socket.AF_INET6
        assert accepts(listener, "::1") and accepts(listener, "127.0.0.1")
    with subflows.listen((host, 0), only_v6=True) as listener:
        assert accepts(listener, "::1") and not accepts(listener, "127.0.0.1")


def test_with_a_host_its_own_family_is_accepted():
    with subflows.listen(("0.0.0.0", 0)) as listener:
        assert accepts(listener, "127.0.0.1") and not accepts(listener, "::1")
    with subflows.listen(("::", 0)) as listener:
        assert accepts(listener, "::1") and accepts(listener, "127.0.0.1")


def test_a_port_that_one_family_uses_is_taken():
    with subflows.listen(("0.0.0.0", 0)) as listener:
        with pytest.raises(subflows.AddressNotAvailableError):
            subflows.listen(("", listener.getsockname()[1]))


@pytest.mark.parametrize("blocking", [True, False])
def test_processes_inherit_the_mode(blocking):
    with subflows.listen(("127.0.0.1", 0), blocking=blocking) as listener:
        assert listener.getblocking() is blocking
        assert os.get_blocking(listener.fileno()) is blocking
        program = f"import os; print(os.get_blocking({listener.fileno()}))"
        command = [sys.executable, "-c", program]
        printed = subprocess.run(command, pass_fds=[listener.fileno()], stdout=subprocess.PIPE, check=True)
        assert printed.stdout.split() == [str(blocking).encode()]
        if not blocking:
            with pytest.raises(BlockingIOError):
                listener.accept()
