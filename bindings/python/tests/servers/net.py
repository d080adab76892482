"""A server in a namespace of its own, which this process reaches by two paths: wifi and lte."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator

PATHS = {"wifi": 1, "lte": 2}
SYSCTL = "sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0"


def sh(command: str) -> None:
    subprocess.run(command, shell=True, check=True)


@contextlib.contextmanager
def two_paths() -> Iterator[list[str]]:
    """Yields the command that runs another command at the server's end."""
    # `cat` keeps the namespace until its standard input is closed.
    with subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE) as keeper:
        inside = ["nsenter", f"--net=/proc/{keeper.pid}/ns/net"]
        here = subprocess.run(["readlink", "/proc/self/ns/net"], capture_output=True).stdout
        while subprocess.run(["readlink", f"/proc/{keeper.pid}/ns/net"], capture_output=True).stdout == here:
            pass
        there = " ".join(inside)
        try:
            sh(SYSCTL)
            sh(f"{there} {SYSCTL}; {there} ip link set lo up; {there} ip mptcp limits set subflows 8")
            for name, number in PATHS.items():
                sh(f"ip link add {name} type veth peer name s{name} netns {keeper.pid}")
                sh(f"ip address add 10.0.{number}.2/24 dev {name}; ip link set {name} up")
                sh(f"{there} ip address add 10.0.{number}.1/24 dev s{name}")
                sh(f"{there} ip link set s{name} up")
                sh(f"ip route add default via 10.0.{number}.1 dev {name} metric {number}00")
            yield inside
        finally:
            keeper.stdin.close()
            for name in PATHS:
                subprocess.run(["ip", "link", "delete", name], stderr=subprocess.DEVNULL)


RULES = """
add table inet cut
add chain inet cut arriving {{ type filter hook prerouting priority -300; }}
add rule inet cut arriving iifname {name} drop
"""


def cut(inside: list[str], name: str) -> None:
    """Both directions of a path lose every packet from now on."""
    for command, interface in (([], name), (inside, f"s{name}")):
        rules = RULES.format(name=interface)
        subprocess.run([*command, "nft", "--file", "-"], input=rules, text=True, check=True)


def mend(inside: list[str]) -> None:
    for command in ([], inside):
        subprocess.run([*command, "nft", "delete", "table", "inet", "cut"], check=True)
