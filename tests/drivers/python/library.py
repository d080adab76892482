"""The verbs of the library, one line for one call."""

from __future__ import annotations

from typing import Any, TypeVar

import subflows
from own import Sockets, family
from record import record, records
from words import Fields, Request, protocol

Handle = TypeVar("Handle")


def _given(**options: Any) -> dict[str, Any]:
    """The options that the request has; the others are left to their defaults."""
    return {name: value for name, value in options.items() if value is not None}


class Library:
    """The package, and the handles that it gave out."""

    VERBS = (
        "socket", "connect", "listen", "upgrade", "take_control", "status", "info", "list",
        "details", "open", "close", "force_close", "set_backup", "announce", "turn_away",
        "withdraw", "addresses", "events", "next", "unfollow", "connections", "connection",
        "capabilities",
    )  # fmt: skip

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets
        self._announced: dict[str, subflows.Announced] = {}
        self._events: dict[str, subflows.Events] = {}

    def socket(self, request: Request) -> Fields:
        return self._sockets.keep(request, subflows.socket(family(request)))

    def connect(self, request: Request) -> Fields:
        options = _given(
            local=request.maybe_address("local"),
            interface=request.maybe("interface"),
            timeout=request.seconds("timeout_ms"),
            control=request.is_("control"),
        )
        return self._sockets.keep(request, subflows.connect(request.address("to"), **options))

    def listen(self, request: Request) -> Fields:
        made = subflows.listen(request.address("at"), only_v6=request.is_("only_v6"))
        return self._sockets.keep(request, made)

    def upgrade(self, request: Request) -> Fields:
        subflows.upgrade(self._sockets.of(request))
        return {}

    def take_control(self, request: Request) -> Fields:
        subflows.take_control(self._sockets.of(request))
        return {}

    def status(self, request: Request) -> Fields:
        return record(subflows.status(self._sockets.of(request)))

    def info(self, request: Request) -> Fields:
        return record(subflows.info(self._sockets.of(request)))

    def list(self, request: Request) -> Fields:
        return records(subflows.list(self._sockets.of(request)))

    def addresses(self, request: Request) -> Fields:
        return records(subflows.addresses(self._sockets.of(request)))

    def details(self, request: Request) -> Fields:
        return record(subflows.details(self._sockets.of(request), request.number("id")))

    def open(self, request: Request) -> Fields:
        options = _given(
            local=request.maybe("local"),
            interface=request.maybe("interface"),
            remote=request.maybe_address("remote"),
            local_port=request.maybe_number("local_port"),
            backup=request.is_("backup"),
            timeout=request.seconds("timeout_ms"),
            unbound=request.is_("unbound"),
        )
        return record(subflows.open(self._sockets.of(request), **options))

    def close(self, request: Request) -> Fields:
        subflows.close(self._sockets.of(request), request.number("id"))
        return {}

    def force_close(self, request: Request) -> Fields:
        subflows.close(self._sockets.of(request), request.number("id"), force=True)
        return {}

    def set_backup(self, request: Request) -> Fields:
        sock = self._sockets.of(request)
        subflows.set_backup(sock, request.number("id"), request.is_("yes"))
        return {}

    def announce(self, request: Request) -> Fields:
        sock, ip = self._sockets.of(request), request.text("ip")
        announced = subflows.announce(sock, ip, port=request.maybe_number("port"))
        self._announced[request.text("name")] = announced
        return {"id": announced.id, "address": announced.address}

    def turn_away(self, request: Request) -> Fields:
        return {"count": _of(self._announced, request).turn_away()}

    def withdraw(self, request: Request) -> Fields:
        _of(self._announced, request)
        self._announced.pop(request.text("handle")).withdraw()
        return {}

    def events(self, request: Request) -> Fields:
        if request.maybe("sock") is None:
            events = subflows.Events.of_namespace()
        else:
            events = subflows.events(self._sockets.of(request))
        self._events[request.text("name")] = events
        return {}

    def next(self, request: Request) -> Fields:
        event = _of(self._events, request).next(request.seconds("timeout_ms"))
        return {} if event is None else record(event)

    def unfollow(self, request: Request) -> Fields:
        _of(self._events, request).close()
        del self._events[request.text("handle")]
        return {}

    def connections(self, request: Request) -> Fields:
        return records(subflows.connections(subflows=request.is_("subflows")))

    def connection(self, request: Request) -> Fields:
        return record(subflows.connection(request.number("token")))

    def capabilities(self, _: Request) -> Fields:
        return records(subflows.capabilities())


def _of(handles: dict[str, Handle], request: Request) -> Handle:
    name = request.text("handle")
    if name not in handles:
        raise protocol(f"no handle is called {name}")
    return handles[name]
