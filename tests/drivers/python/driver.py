"""The driver in Python: answers each line of the conformance runner with one line.

With `--as USER` (a number) the driver changes to that user first: other users can seldom execute an
interpreter that is not the system's.
"""

from __future__ import annotations

import ctypes
import os
import sys
import traceback
from collections.abc import Callable

from answer import Fault, Fields, answer, fault, protocol
from library import Library
from plain_sockets import PlainSockets
from request import Request


_CLONE_NEWNET = 0x4000_0000
_libc = ctypes.CDLL(None, use_errno=True)


class Driver:
    def __init__(self) -> None:
        self._sockets = PlainSockets()
        self._library = Library(self._sockets)
        self._verbs: dict[str, Callable[[Request], Fields]] = {
            **self._sockets.verbs,
            **self._library.verbs,
            "enter": self._enter,
            "remedy": lambda _: {"remedy": self._remedy},
            "hello": lambda _: {"language": "python", "verbs": ",".join(("fork", *self._verbs))},
        }
        self._remedy = ""

    def answer(self, line: str) -> str:
        if line.startswith("fork "):
            return self._answer_of_child(line[len("fork ") :])
        try:
            request = Request(line)
            if request.verb not in self._verbs:
                raise protocol(f"unknown verb {request.verb}")
            return answer(self._verbs[request.verb](request))
        except Fault as error:
            self._remedy = error.remedy
            return str(error)
        except OSError as error:
            found = fault(error)
            self._remedy = found.remedy
            return str(found)

    def _enter(self, request: Request) -> Fields:
        """Forgets everything that has a name, and moves to another network namespace."""
        self._library.close_all()
        self._sockets.close_all()
        with open(request.text("namespace")) as namespace:
            # Python has it since 3.12.
            if _libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                error = ctypes.get_errno()
                raise OSError(error, os.strerror(error))
        return {}

    def _answer_of_child(self, line: str) -> str:
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                with open(write_end, "w") as parent:
                    parent.write(self.answer(line))
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(0)
        os.close(write_end)
        with open(read_end) as pipe:
            found = pipe.read()
        os.waitpid(child, 0)
        return found


def become(user: int) -> None:
    # The interpreter loads this module when an address is looked up, and the user may not read it then.
    import encodings.idna  # noqa: F401

    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def main() -> None:
    if sys.argv[1:2] == ["--as"]:
        become(int(sys.argv[2]))
    driver = Driver()
    for line in map(str.strip, sys.stdin):
        if line == "quit":
            return
        print(driver.answer(line), flush=True)


main()
