"""The command ``subflows``, the same program as the one without Python."""

import signal
import sys

from ._native import _run


def main() -> int:
    """Runs the command with the arguments of this process."""
    # Python handles an interrupt only between its own instructions, and `demo` runs long in Rust.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _run(["subflows", *sys.argv[1:]])

