"""The driver in Python: does what the conformance runner asks, one line for one line.

With `--as USER` it is that user, by number, from the first line on: an interpreter is seldom installed where
everybody may execute it.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable

from library import Library
from own import Sockets
from words import Fault, Fields, Request, fault, protocol, told


class Driver:
    def __init__(self) -> None:
        sockets = Sockets()
        self._verbs: dict[str, Callable[[Request], Fields]] = {
            verb: getattr(verbs, verb)
            for verbs in (sockets, Library(sockets))
            for verb in verbs.VERBS
        }
        self._remedy = ""

    def answer(self, line: str) -> str:
        # A child passes its parent what it would have said itself.
        if line.startswith("fork "):
            return self._answer_of_child(line[len("fork ") :])
        try:
            return told(self._perform(Request(line)))
        except Fault as error:
            self._remedy = error.remedy
            return str(error)
        except OSError as error:
            found = fault(error)
            self._remedy = found.remedy
            return str(found)

    def _perform(self, request: Request) -> Fields:
        if request.verb == "hello":
            verbs = ("fork", "remedy", *self._verbs)
            return {"language": "python", "verbs": ",".join(verbs)}
        if request.verb == "remedy":
            return {"remedy": self._remedy}
        if request.verb not in self._verbs:
            raise protocol(f"there is no verb {request.verb}")
        return self._verbs[request.verb](request)

    def _answer_of_child(self, line: str) -> str:
        ours, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                with open(theirs, "w") as parent:
                    parent.write(self.answer(line))
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(0)
        os.close(theirs)
        with open(ours) as said:
            answer = said.read()
        os.waitpid(child, 0)
        return answer


def become(user: int) -> None:
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
