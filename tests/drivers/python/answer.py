"""Answers: fields, records and errors. See tests/conform/PROTOCOL.md."""

from __future__ import annotations

import enum
import ipaddress
import re
import sys
from collections.abc import Sequence
from typing import Any

import subflows

# Characters that are written as %XX.
_ENCODED = re.compile(r"[\x00-\x20\x7f%]")

Fields = dict[str, Any]


class Fault(Exception):
    """An error, as the protocol writes it."""

    def __init__(self, kind: str, errno: int = 0, remedy: str = "") -> None:
        super().__init__(kind, errno)
        self.kind, self.errno, self.remedy = kind, errno, remedy

    def __str__(self) -> str:
        return f"err {self.kind} {self.errno}"


def protocol(text: str) -> Fault:
    """A request that the driver does not understand. The reason goes to standard error."""
    print(text, file=sys.stderr, flush=True)
    return Fault("Protocol")


def fault(error: OSError) -> Fault:
    """An error of the library or of a socket."""
    print(repr(error), file=sys.stderr, flush=True)
    if isinstance(error, subflows.SubflowsError):
        return Fault(error.kind, error.errno or 0, error.remedy)
    return Fault("Os", error.errno or 0)


def answer(fields: Fields) -> str:
    """The line for a request that succeeded."""
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


def record(record: Any) -> Fields:
    """The fields of a record, without the absent ones."""
    fields: Fields = {}
    _add(fields, "", record.asdict())
    return fields


def records(items: Sequence[Any]) -> Fields:
    """The number of records, then the fields of each after its index."""
    fields: Fields = {}
    _add_list(fields, "", [item.asdict() for item in items])
    return fields


def _add(fields: Fields, before: str, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, dict):
            _add(fields, f"{before}{name}.", value)
        elif isinstance(value, list):
            _add_list(fields, f"{before}{name}.", value)
        elif isinstance(value, enum.Enum):
            # Core writes FinWait1 where Python has FIN_WAIT1.
            words = value.name.split("_")
            fields[before + name] = "".join(word.capitalize() for word in words)
        elif value is not None:
            fields[before + name] = value


def _add_list(fields: Fields, before: str, items: list[dict[str, Any]]) -> None:
    fields[f"{before}count"] = len(items)
    for number, item in enumerate(items):
        _add(fields, f"{before}{number}.", item)
