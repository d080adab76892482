"""Without these, the README's list of what Multipath TCP lacks could be wrong."""

import re
import socket
from pathlib import Path

import pytest

import subflows

PAGE = (Path(__file__).parents[1] / "README.md").read_text()
LISTED = PAGE[PAGE.index("## What Multipath TCP lacks") :].split("\n## ")[0]
LEVELS = {"TCP": socket.IPPROTO_TCP, "SO": socket.SOL_SOCKET, "IP": socket.IPPROTO_IP}
# Names that are not options, or not options of TCP sockets.
OTHER = re.compile("SO_(VM|J1939|HV|RDS|CAN)_|IP_(MAX|DEFAULT)_")


def options() -> list:
    found = [(name, name.split("_")[0]) for name in dir(socket) if re.match("(TCP|SO|IP)_[A-Z]", name)]
    return [
        (name, (LEVELS[kind], getattr(socket, name))) for name, kind in found if not OTHER.match(name)
    ]


def takes(sock: socket.socket, option: tuple) -> bool:
    try:
        sock.setsockopt(*option, 1)
        return True
    except OSError:
        return False


def test_an_option_that_tcp_alone_takes_is_listed():
    lacking = set()
    for name, option in options():
        with socket.socket() as tcp, subflows.socket() as ours:
            if takes(tcp, option) and not takes(ours, option):
                lacking.add(name)
    assert lacking
    unlisted = {name for name in lacking if f"`{name}`" not in LISTED}
    assert not unlisted


def test_an_option_that_is_listed_is_not_taken(pair):
    named = set(re.findall("`((?:TCP|SO|IP)_[A-Z0-9_]+)`", LISTED))
    known = [option for name, option in options() if name in named]
    assert len(known) > 15
    assert [option for option in known if takes(pair.client, option)] == []


def test_urgent_data_is_like_other_data(pair):
    pair.client.send(b"a")
    pair.client.send(b"!", socket.MSG_OOB)
    pair.client.send(b"b")
    got = b""
    while len(got) < 3:
        got += pair.server.recv(3)
    assert got == b"a!b"


@pytest.mark.parametrize("name", ["SO_BINDTODEVICE", "SO_REUSEADDR", "SO_REUSEPORT", "IP_TRANSPARENT"])
def test_what_is_set_before_connecting(pair, name):
    option = dict(options()).get(name)
    if option is None:
        # Linux's number; this Python has no name for it.
        option = (socket.IPPROTO_IP, 19)
    value = b"lo\0" if name == "SO_BINDTODEVICE" else 1
    with subflows.socket() as fresh:
        fresh.setsockopt(*option, value)
    with pytest.raises(OSError):
        pair.client.setsockopt(*option, value)
