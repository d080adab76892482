"""Compares the results of CPython's own socket, TLS and asyncio tests on TCP and on Multipath TCP.

    PYTHON compare.py [SUBFLOWS]

runs each module twice, each time in a new network namespace: once unchanged, and once with every TCP socket
made by `shim`; or unchanged under `SUBFLOWS run`. A test with different results is repeated; one that differs
every time and is not in `differences.txt` (`differences-run.txt`) is a failure.
"""

import re
import subprocess
import sys
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
ALONE = HERE.parents[3] / "tests/tool/in-namespace"
MODULES = [
    "test.test_socket",
    "test.test_ssl",
    "test.test_asyncio.test_streams",
    "test.test_asyncio.test_sock_lowlevel",
    "test.test_asyncio.test_server",
]
# Whatever else a program does with sockets.
MORE_MODULES = [
    "test.test_httplib",
    "test.test_asyncio.test_events",
]
SUBFLOWS = sys.argv[1] if sys.argv[1:] else None
# Classes of test_socket that do not test TCP. Some of them wait forever in an empty namespace.
OTHERS = re.compile("UDP|Unix|SCTP|VSOCK|CAN|RDS|QIPCRTR|Bluetooth|TIPC|ISOTP|J1939|Crypto|Hyper")
AGAIN = 3


def names(module: str) -> list:
    """The tests of a module that are run: all of them, or the classes about TCP or any socket."""
    if module != "test.test_socket":
        return [module]
    found = __import__(module, fromlist=["_"])
    return [
        f"{module}.{name}"
        for name, value in vars(found).items()
        if isinstance(value, type)
        and issubclass(value, unittest.TestCase)
        and value.__module__ == module
        and not OTHERS.search(name)
        and unittest.defaultTestLoader.getTestCaseNames(value)
    ]


def play(mode: str, chosen: list) -> tuple:
    """The verdict of each test, and the output of those that failed."""
    with tempfile.NamedTemporaryFile("r") as file:
        run = [SUBFLOWS, "run", "--"] if mode == "run" else []
        kind = "mptcp" if mode == "mptcp" else "tcp"
        command = [ALONE, *run, sys.executable, HERE / "play.py", kind, file.name, *chosen]
        said = subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
        )
        verdicts = dict(line.rsplit(" ", 1) for line in file)
    verdicts = {name: verdict.strip() for name, verdict in verdicts.items()}
    handshakes = verdicts.pop("handshakes", None)
    assert handshakes is not None, f"the run did not finish:\n{said.stderr[-2000:]}"
    if mode == "tcp":
        assert handshakes == "0", "these sockets were not TCP"
    return verdicts, int(handshakes), said.stderr


def both(chosen: list) -> list:
    """On TCP and on Multipath TCP at the same time, because most of these tests wait."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda mode: play(mode, chosen), ["tcp", "run" if SUBFLOWS else "mptcp"]))


def main() -> None:
    try:
        import test.test_socket  # noqa: F401
    except ImportError as error:
        print(f"skip: CPython's own tests are not installed with {sys.executable}: {error}")
        return
    text = (HERE / ("differences-run.txt" if SUBFLOWS else "differences.txt")).read_text().splitlines()
    known = {line.split()[0] for line in text if line and not line.startswith("#")}
    passed, failed = 0, 0
    for module in MODULES + MORE_MODULES if SUBFLOWS else MODULES:
        (tcp, _, _), (ours, handshakes, said) = both(names(module))
        assert handshakes > 0, f"{module}: no connection used Multipath TCP at both ends"
        differing = {name for name in tcp.keys() | ours.keys() if tcp.get(name) != ours.get(name)}
        excused = differing & known
        for name in sorted(differing - known):
            # A class whose setup failed has no name by which it can be run.
            for _ in range(AGAIN if "(" not in name else 0):
                first, second = both([name])
                if first[0] == second[0]:
                    differing.discard(name)
                    break
                said = second[2]
            if name in differing:
                failed += 1
                print(f"{name}: {tcp.get(name)} on TCP, {ours.get(name)} on MPTCP\n{said[-500:]}")
        same = len(tcp.keys() | ours.keys()) - len(differing)
        passed += same
        skipped = sum(verdict == "skipped" for verdict in ours.values())
        told = f" ({skipped} of them skipped)" if skipped else ""
        told += f", {len(excused)} differ as listed" if excused else ""
        print(f"{module}: {same} end as on TCP{told}; {handshakes} connections of Multipath TCP")
        sys.stdout.flush()
    print(f"{passed} passed, {failed} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
