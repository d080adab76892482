"""Runs tests of CPython in this process, and writes a line for each: its name and its verdict.

    play.py tcp|mptcp VERDICTS NAME...
"""

import faulthandler
import sys
import unittest
import warnings
from pathlib import Path

import shim


class Verdicts(unittest.TestResult):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.file = open(path, "w", buffering=1)
        self.told = None

    def startTest(self, test) -> None:
        super().startTest(test)
        self.told = "passed"

    def stopTest(self, test) -> None:
        super().stopTest(test)
        print(test.id(), self.told, file=self.file)

    def addSkip(self, test, reason) -> None:
        self.told = "skipped"

    def addExpectedFailure(self, test, error) -> None:
        self.told = "expected"

    def addUnexpectedSuccess(self, test) -> None:
        self.told = "unexpected"

    def addSubTest(self, test, subtest, error) -> None:
        if error is not None:
            self.addFailure(test, error)

    def addFailure(self, test, error) -> None:
        self.told = "failed"
        print(f"{test.id()}: {error[0].__name__}: {error[1]}", file=sys.stderr)

    # An error of setUpClass arrives before any test has started.
    def addError(self, test, error) -> None:
        self.addFailure(test, error)
        if not isinstance(test, unittest.TestCase):
            print(test.id(), self.told, file=self.file)


def handshakes() -> int:
    """How many connections of this namespace used Multipath TCP at both ends."""
    head, values = [
        line.split()[1:]
        for line in Path("/proc/net/netstat").read_text().splitlines()
        if line.startswith("MPTcpExt:")
    ]
    return int(dict(zip(head, values))["MPCapableACKRX"])


def main() -> None:
    mode, verdicts, *names = sys.argv[1:]
    if mode == "mptcp":
        shim.install()
    # Reports a test that hangs.
    faulthandler.dump_traceback_later(240, exit=True)
    warnings.simplefilter("ignore")
    from test import support

    # No test that needs an outside network or takes very long.
    support.use_resources = ()
    result = Verdicts(verdicts)
    unittest.defaultTestLoader.loadTestsFromNames(names).run(result)
    print("handshakes", handshakes(), file=result.file)


if __name__ == "__main__":
    main()
