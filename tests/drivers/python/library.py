"""The operations of the library, called by their names, and the handles that they return."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import subflows
from answer import Fields, protocol, record, records
from plain_sockets import PlainSockets, family
from request import Request, address, flag, option_value, seconds

# How the value of each key is read. Every key but `timeout_ms` is the name of an argument.
_READ: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("id", "token", "local_port", "port", "backlog"), int),
    **dict.fromkeys(("level", "number", "length", "endpoint_id", "add_addr_accepted"), int),
    **dict.fromkeys(("backup", "control", "force", "only_v6", "unbound"), flag),
    **dict.fromkeys(("signal", "subflow", "fullmesh", "laminar", "processes"), flag),
    # A flag of `connections`, a number of `set_limits`.
    "subflows": lambda text: flag(text) if text in ("true", "false") else int(text),
    **dict.fromkeys(("address", "local", "remote"), address),
    "family": family,
    "interface": str,
    "option": str,
    "setting": str,
    "data": str,
    "value": option_value,
    "timeout_ms": seconds,
}


class Library:
    def __init__(self, sockets: PlainSockets) -> None:
        self._sockets = sockets
        self._handles: dict[str, Any] = {}
        self._methods: dict[str, Callable[[Any, Request], Fields]] = {
            "announced.turn_away": lambda announced, _: {"count": announced.turn_away()},
            "announced.withdraw": lambda announced, _: announced.withdraw() or {},
            "events.next": _next,
            "events.close": lambda events, _: events.close() or {},
        }
        operations = [name for name in subflows.__all__ if name.islower()]
        self.verbs = {
            **dict.fromkeys(operations, self._call),
            **dict.fromkeys(self._methods, self._call_method),
        }

    def close_all(self) -> None:
        for handle in self._handles.values():
            if isinstance(handle, subflows.Events):
                handle.close()
            else:
                # It ignores that the connection may be over.
                with handle:
                    pass
        self._handles.clear()

    def _call(self, request: Request) -> Fields:
        arguments = {
            key.removesuffix("_ms"): _READ[key](value)
            for key, value in request.values.items()
            if key not in ("name", "sock")
        }
        if "sock" in request.values:
            arguments["sock"] = self._sockets.of(request)
        if request.verb == "events" and not arguments:
            return self._answer(request, subflows.Events.of_namespace())
        return self._answer(request, getattr(subflows, request.verb)(**arguments))

    def _answer(self, request: Request, result: Any) -> Fields:
        if isinstance(result, socket.socket):
            return self._sockets.keep(request, result)
        if isinstance(result, subflows.Announced):
            self._handles[request.text("name")] = result
            return {"id": result.id, "address": result.address}
        if isinstance(result, subflows.Events):
            self._handles[request.text("name")] = result
            return {}
        if result is None:
            return {}
        if isinstance(result, bytes):
            return {"value": f"0x{result.hex()}"}
        if isinstance(result, (int, str)):
            return {"value": result}
        return records(result) if isinstance(result, list) else record(result)

    def _call_method(self, request: Request) -> Fields:
        name = request.text("handle")
        if name not in self._handles:
            raise protocol(f"no handle has the name {name}")
        return self._methods[request.verb](self._handles[name], request)


def _next(events: subflows.Events, request: Request) -> Fields:
    event = events.next(seconds(request.text("timeout_ms")))
    return {} if event is None else record(event)
