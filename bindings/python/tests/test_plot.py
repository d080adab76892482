"""Without it, the example that plots the paths of a connection could draw none."""

import pathlib
import re
import subprocess
import sys
import threading

import subflows

PLOT = pathlib.Path(__file__).parents[3] / "examples/python/plot.py"


def test_every_path_is_drawn_until_the_connection_is_over(pair, tmp_path):
    file = tmp_path / "plot.svg"
    token = f"{subflows.status(pair.client).token:08x}"
    subflows.open(pair.client, local="127.0.0.2")
    names = {f"{path.local[0]} - 127.0.0.1" for path in subflows.list(pair.client)}
    is_enough = threading.Event()

    def pour() -> None:
        while not is_enough.is_set():
            pair.client.sendall(bytes(65536))
        pair.client.close()

    def drain() -> None:
        while pair.server.recv(65536):
            pass
        pair.server.close()

    threads = [threading.Thread(target=run) for run in (pour, drain)]
    for thread in threads:
        thread.start()
    command = [sys.executable, str(PLOT), token, str(file)]
    plot = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    deadline = threading.Timer(60, plot.kill)
    deadline.start()
    try:
        seen = [plot.stdout.readline() for _ in names]
        assert {line.partition(" from ")[0] for line in seen} == names
        # A path that is opened later is seen an interval later, when the others have a rate.
        subflows.open(pair.client, local="127.0.0.3")
        assert plot.stdout.readline().startswith("127.0.0.3 - 127.0.0.1 from ")
    finally:
        is_enough.set()
        for thread in threads:
            thread.join()
    rest, _ = plot.communicate()
    deadline.cancel()
    assert plot.returncode == 0
    reached = dict(re.findall(r"(.*) reached (.*) Mbit/s", rest))
    assert len(reached) == 3 and max(map(float, reached.values())) > 1
    text = file.read_text()
    # In the SVG, text is drawn as outlines, with the text as a comment.
    assert all(f"<!-- {name} -->" in text for name in names)
