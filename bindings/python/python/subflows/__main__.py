"""``python -m subflows``: the command ``subflows``."""

import sys

from ._command import main

if __name__ == "__main__":
    sys.exit(main())
