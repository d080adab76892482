"""Plots the rate of each path of a connection while it runs.

python3 plot.py TOKEN [FILE]. Requires matplotlib and no privilege. The connection may belong to any
program: `subflows connections` lists the tokens. With a FILE (.svg, .png), it opens no window, and writes
the plot when the connection has ended.
"""

import sys
import time
from typing import Optional

import matplotlib
from matplotlib import pyplot

import subflows

INTERVAL_S = 0.2


class Path:
    """The rates of one path, since it was first seen."""

    def __init__(self, now: float, path: subflows.Details) -> None:
        self.times: list[float] = []
        self.rates: list[float] = []
        self._last = (now, self._bytes(path))

    def add(self, now: float, path: subflows.Details) -> None:
        (before, carried), self._last = self._last, (now, self._bytes(path))
        self.times.append(now)
        self.rates.append((self._last[1] - carried) * 8 / 1e6 / (now - before))

    @staticmethod
    def _bytes(path: subflows.Details) -> int:
        return path.bytes_sent + path.bytes_received


def find(token: int) -> Optional[subflows.Connection]:
    # Not by `connection`, which does not return the paths.
    found = (one for one in subflows.connections(subflows=True) if one.token == token)
    return next(found, None)


def main(token: str, file: Optional[str] = None) -> None:
    if file is not None:
        matplotlib.use("agg")
    figure, axes = pyplot.subplots()
    start = time.monotonic()
    paths: dict[str, Path] = {}
    # Closing the window ends the program as well.
    while (found := find(int(token, 16))) is not None and pyplot.get_fignums():
        now = time.monotonic() - start
        for path in found.subflows:
            name = f"{path.local[0]} - {path.remote[0]}"
            if name not in paths:
                paths[name] = Path(now, path)
                print(f"{name} from second {now:.1f}", flush=True)
            else:
                paths[name].add(now, path)

        axes.clear()
        axes.set(title=f"connection {token}", xlabel="seconds", ylabel="Mbit/s")
        for name, known in paths.items():
            axes.plot(known.times, known.rates, label=name)
        if paths:
            axes.legend(loc="upper left")
        # Draws the plot, and handles the events of the window.
        pyplot.pause(INTERVAL_S)
    for name, known in paths.items():
        print(f"{name} reached {max(known.rates, default=0):.1f} Mbit/s")
    if file is not None:
        figure.savefig(file)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except subflows.SubflowsError as error:
        sys.exit(f"{error.operation}: {error}")
