"""Both ends of a connection as `ss` shows them."""

import ipaddress
import re
import subprocess

import subflows

# More than the buffers of both ends hold, so that a download waits for its reader.
BODY = bytes(range(256)) * 4096 * 32


def ss(*options: str) -> list[str]:
    """A line for each socket; the kernel's details follow on the same line."""
    told = subprocess.run(
        ["ss", "-HnO", *options], check=True, capture_output=True, text=True
    ).stdout
    return told.splitlines()


def text_of(address: tuple) -> str:
    """An address as ss prints it."""
    host, port = address[:2]
    return f"[{host}]:{port}" if ipaddress.ip_address(host).version == 6 else f"{host}:{port}"


def kernels_token(local: tuple, remote: tuple) -> int:
    """The kernel's token of the connection between two addresses, at the first."""
    ends = f" {text_of(local)} {text_of(remote)} "
    [line] = [line for line in ss("-Mi") if ends in re.sub(r"\s+", " ", line)]
    return int(re.search(r"\btoken:([0-9a-f]+)", line)[1], 16)


def joined(remote_token: int, local_token: int) -> int:
    """How many subflows the kernel has joined to the connection with these tokens at its ends."""
    tokens = rf"\btoken:{remote_token:04x}\(id:\d+\)/{local_token:04x}\(id:\d+\)"
    lines = ss("-ti", "state", "established")
    return sum(re.search(tokens, line) is not None for line in lines)


def check(sock, token_there: str) -> None:
    """Checks a client's connection during a download, at the kernel and at the other end.

    It is Multipath TCP under the client's control, and it takes a second subflow.
    """
    status = subflows.status(sock)
    assert status.state is subflows.State.MPTCP
    assert status.path_manager is subflows.PathManager.USERSPACE
    [first] = subflows.list(sock)
    assert kernels_token(first.local, first.remote) == status.token
    assert kernels_token(first.remote, first.local) == int(token_there)
    extra = subflows.open(sock, local="127.0.0.2")
    assert extra.local[0] == "127.0.0.2"
    assert joined(int(token_there), status.token) == 1
    assert [path.id for path in subflows.list(sock)] == [first.id, extra.id]
