"""What this process holds, as the kernel lists it."""

import contextlib
import os
import time


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def netlinks() -> int:
    """How many descriptors are netlink sockets."""
    with open("/proc/net/netlink", encoding="ascii") as table:
        inodes = {line.split()[-1] for line in table}
    links = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            links.append(os.readlink(f"/proc/self/fd/{name}"))
    return sum(link.removeprefix("socket:[").removesuffix("]") in inodes for link in links)


def threads() -> int:
    return len(os.listdir("/proc/self/task"))


def until(is_so, what: str) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline, f"10 s have passed: {what}"
        time.sleep(0.001)
