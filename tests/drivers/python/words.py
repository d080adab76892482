"""One line of the runner's, and one line of ours: see tests/conform/PROTOCOL.md."""

from __future__ import annotations

import ipaddress
import re
import sys
from typing import Any, Optional
from urllib.parse import unquote

import subflows

# What would end a word or a line, and what tells that something is encoded.
_ENCODED = re.compile(r"[\x00-\x20\x7f%]")

Fields = dict[str, Any]


class Fault(Exception):
    """What went wrong, in the words of the protocol."""

    def __init__(self, kind: str, errno: int = 0, remedy: str = "") -> None:
        super().__init__(kind, errno)
        self.kind, self.errno, self.remedy = kind, errno, remedy

    def __str__(self) -> str:
        return f"err {self.kind} {self.errno}"


def protocol(text: str) -> Fault:
    """The runner asked what makes no sense; what that is goes to standard error."""
    print(text, file=sys.stderr, flush=True)
    return Fault("Protocol")


def fault(error: OSError) -> Fault:
    """What the library, or a socket, has raised."""
    print(repr(error), file=sys.stderr, flush=True)
    if isinstance(error, subflows.SubflowsError):
        return Fault(error.kind, error.errno or 0, error.remedy)
    return Fault("Os", error.errno or 0)


class Request:
    """A verb, then words with values."""

    def __init__(self, line: str) -> None:
        self.verb, *words = line.split(" ")
        pairs = [word.partition("=") for word in words]
        if not all(equals for _, equals, _ in pairs):
            raise protocol(f"cannot read: {line}")
        self._words = {key: unquote(value) for key, _, value in pairs}

    def maybe(self, key: str) -> Optional[str]:
        return self._words.get(key)

    def text(self, key: str) -> str:
        if key not in self._words:
            raise protocol(f"{self.verb} has no {key}=")
        return self._words[key]

    def number(self, key: str) -> int:
        return int(self.text(key))

    def maybe_number(self, key: str) -> Optional[int]:
        return self.number(key) if key in self._words else None

    def is_(self, key: str, default: bool = False) -> bool:
        value = self._words.get(key, str(default).lower())
        if value not in ("true", "false"):
            raise protocol(f"{key}={value} is neither true nor false")
        return value == "true"

    def address(self, key: str) -> tuple[str, int]:
        host, _, port = self.text(key).rpartition(":")
        return host.strip("[]"), int(port)

    def maybe_address(self, key: str) -> Optional[tuple[str, int]]:
        return self.address(key) if key in self._words else None

    def seconds(self, key: str) -> Optional[float]:
        milliseconds = self.maybe_number(key)
        return None if milliseconds is None else milliseconds / 1000


def told(fields: Fields) -> str:
    """The answer to what went well."""
    words = (f" {name}={_ENCODED.sub(_encode, text(value))}" for name, value in fields.items())
    return "ok" + "".join(words)


def _encode(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}"


def text(value: Any) -> str:
    """A value as the protocol writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        host, port = value[0].partition("%")[0], value[1]
        return f"[{host}]:{port}" if ipaddress.ip_address(host).version == 6 else f"{host}:{port}"
    return str(value)
