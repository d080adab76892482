"""The command ``subflows``: the same as the one that is built without Python."""

import signal
import sys

from ._native import _run


def main() -> int:
    """Runs the command with the words of this process."""
    # What runs for long, as `demo` does, is Rust, which an interrupt must end.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _run(["subflows", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
