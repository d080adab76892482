"""The library's records, field by field, by the names that core gives them."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any

from words import Fields


def record(record: Any) -> Fields:
    """What a record tells; what is absent is not said."""
    fields: Fields = {}
    _add(fields, "", record.asdict())
    return fields


def records(items: Sequence[Any]) -> Fields:
    """How many there are, then the fields of each behind its number."""
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
