"""Requests: one line of the runner. See tests/conform/PROTOCOL.md."""

from __future__ import annotations

from typing import Union
from urllib.parse import unquote

from answer import protocol


class Request:
    """A verb, and its values by their keys."""

    def __init__(self, line: str) -> None:
        self.verb, *words = line.split(" ")
        pairs = [word.partition("=") for word in words]
        if not all(equals for _, equals, _ in pairs):
            raise protocol(f"a word without '=': {line}")
        self.values = {key: unquote(value) for key, _, value in pairs}

    def text(self, key: str) -> str:
        if key not in self.values:
            raise protocol(f"{self.verb} requires {key}=")
        return self.values[key]

    def number(self, key: str) -> int:
        return int(self.text(key))

    def socket_address(self, key: str) -> tuple[str, int]:
        found = address(self.text(key))
        if isinstance(found, str):
            raise protocol(f"{key}={found} has no port")
        return found


def address(text: str) -> Union[str, tuple[str, int]]:
    """Host and port of `10.0.0.1:80` or `[::1]:80`; an IP address without a port as it is."""
    if not text.startswith("[") and text.count(":") != 1:
        return text
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise protocol(f"{text} is neither true nor false")
    return text == "true"


def seconds(milliseconds: str) -> float:
    return int(milliseconds) / 1000


def option_value(text: str) -> int | bool | str | bytes:
    """The value of an option of a subflow."""
    if text in ("true", "false"):
        return text == "true"
    if text.startswith("0x"):
        return bytes.fromhex(text[2:])
    return int(text) if text.isdecimal() else text
