"""The cost of the package compared with what a program does without it, measured in turn in one run.

    tests/tool/in-namespace PYTHON bindings/python/benches/ratios.py TABLE [LIBRARY]

writes the table to the file TABLE. LIBRARY is libsubflows.so.0, with which `open` is compared.
"""

import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import without

import subflows

PATH_MANAGER = Path("/proc/sys/net/mptcp/pm_type")
CONNECTIONS = 5000


def pair(control: bool) -> tuple:
    """Both ends of a connection. The server accepts any number of subflows."""
    default = PATH_MANAGER.read_text()
    PATH_MANAGER.write_text("1")
    try:
        listener = subflows.listen(("127.0.0.1", 0))
        client = subflows.connect(listener.getsockname(), control=control)
        server, _ = listener.accept()
    finally:
        PATH_MANAGER.write_text(default)
    for a, b in ((client, server), (server, client)):
        a.sendall(b"x")
        assert b.recv(1) == b"x"
    return client, server, listener


def medians(contenders: dict, rounds: int, calls: int) -> list:
    """Nanoseconds per call of each. Called in turn, so that a disturbance affects all of them."""
    taken = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, call in contenders.items():
            start = time.perf_counter_ns()
            for _ in range(calls):
                call()
            # The first round warms up.
            if number:
                taken[name].append((time.perf_counter_ns() - start) / calls)
    return [statistics.median(times) for times in taken.values()]


def reading() -> list:
    managed = pair(control=False)
    calls = {
        "ours": lambda: subflows.info(managed[0]),
        "other": lambda: without.info(managed[0]),
    }
    info_managed = medians(calls, 400, 200)
    client, server, listener = pair(control=True)
    subflows.open(client, local="127.0.0.2")
    lister = without.Lister()
    assert [path["local"] for path in lister.list(client)] == [
        path.local for path in subflows.list(client)
    ]

    def read() -> list:
        return [
            (path.id, path.local, path.remote, path.state, path.rtt_us)
            for path in subflows.list(client)
        ]

    calls = {"ours": lambda: subflows.info(client), "other": lambda: without.info(client)}
    info = medians(calls, 400, 200)
    calls = {"ours": lambda: subflows.list(client), "other": lambda: lister.list(client)}
    listed = medians(calls, 300, 100)
    calls["ours"] = read
    listed_and_read = medians(calls, 300, 100)
    for sock in (client, server, listener, *managed):
        sock.close()
    return [
        ("info / `sock.getsockopt(284, 1, 104)`", *info_managed, 1.5),
        ("the same of a controlled connection", *info, 1.5),
        ("list of two / ctypes, addresses parsed", *listed, 1 / 2.5),
        ("list of two and five fields of each read / the same", *listed_and_read, 1 / 2.5),
    ]


def many() -> list:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    listener = subflows.listen(("127.0.0.1", 0))
    kept = []
    # Both ends are here: half as many pairs.
    for _ in range(CONNECTIONS // 2):
        kept += subflows.connect(listener.getsockname()), listener.accept()[0]
    assert len(subflows.connections()) == len(without.connections()) == CONNECTIONS

    def read() -> list:
        return [
            (found.state, found.receive_queue, found.send_queue, found.local, found.remote, found.token)
            for found in subflows.connections()
        ]

    calls = {"ours": subflows.connections, "read": read, "other": without.connections}
    ours, ours_read, other = medians(calls, 15, 1)
    for sock in (*kept, listener):
        sock.close()
    return [
        ("connections() at 5000 / `ss -Mni`, parsed", ours, other, 1 / 4),
        ("connections() at 5000 and six fields of each read / the same", ours_read, other, None),
    ]


def opening(library: str) -> list:
    """A subflow is closed again after each, and not counted."""
    client, server, listener = pair(control=True)
    by_c = without.Opener(library, client, "127.0.0.2")
    taken = {"ours": [], "C": []}
    contenders = {"ours": lambda: subflows.open(client, local="127.0.0.2"), "C": by_c}
    for number in range(1100):
        for name, call in contenders.items():
            start = time.perf_counter_ns()
            call()
            if number >= 100:
                taken[name].append(time.perf_counter_ns() - start)
            subflows.close(client, subflows.list(client)[-1].id)
    for sock in (client, server, listener):
        sock.close()
    ours, other = (statistics.median(times) for times in taken.values())
    return [("open / `subflows_open` of the C library", ours, other, 2.0)]


def importing() -> tuple:
    """Of the processor, in a fresh interpreter each time, which has loaded what it needs itself."""
    program = "import time; t = time.process_time_ns(); import subflows; print(time.process_time_ns() - t)"
    command = [sys.executable, "-c", program]
    taken = [int(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(41)]
    return statistics.median(taken[1:]), 15e6


def shown(nanoseconds: float) -> str:
    for unit, size in (("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.2f} {unit}"
    return f"{nanoseconds:.0f} ns"


def verdict(holds: bool) -> str:
    return "holds" if holds else "**missed**"


def main() -> None:
    table, *library = sys.argv[1:]
    rows = reading() + many()
    if library:
        rows += opening(library[0])
    version = "%d.%d" % sys.version_info[:2]
    lines = [f"| in Python {version} | ours | compared with | ratio | bar | |", "|---|---|---|---|---|---|"]
    for name, ours, other, bar in rows:
        ratio = ours / other
        judged = " | " if bar is None else f"≤ {bar:g} | {verdict(ratio <= bar)}"
        lines.append(f"| {name} | {shown(ours)} | {shown(other)} | {ratio:.2f} | {judged} |")
    took, bar = importing()
    lines.append(f"| `import subflows` | {shown(took)} | | | ≤ {shown(bar)} | {verdict(took <= bar)} |")
    text = "\n" + "\n".join(lines) + "\n"
    print(text)
    Path(table).write_text(text)


if __name__ == "__main__":
    main()
