"""The keywords of a verb, in functions that pass them on. They are defined once, in core's table."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Container
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Keywords:
    """The keywords of a verb, except `without`."""

    def __init__(self, verb: Callable[..., Any], *, without: Container[str] = ()) -> None:
        of_verb = inspect.signature(verb).parameters.values()
        self._parameters = [
            parameter
            for parameter in of_verb
            if parameter.kind is parameter.KEYWORD_ONLY and parameter.name not in without
        ]

    def take(self, keywords: dict[str, Any]) -> dict[str, Any]:
        """Moves them out of the keywords of a call; a missing one has the default of the verb."""
        return {own.name: keywords.pop(own.name, own.default) for own in self._parameters}

    def only(self, keywords: dict[str, Any]) -> dict[str, Any]:
        """The same for a call that has no others. Raises TypeError if it has."""
        taken = self.take(keywords)
        for name in keywords:
            raise TypeError(f"unexpected keyword argument {name!r}")
        return taken

    def shown(self, function: _Function) -> _Function:
        """Decorates a function, whose signature then shows them.

        They replace a parameter ``**options``, and precede other parameters of that kind.
        """
        signature = inspect.signature(function)
        parameters = [*signature.parameters.values()]
        last = parameters.pop()
        rest = [] if last.name == "options" else [last]
        shown = signature.replace(parameters=[*parameters, *self._parameters, *rest])
        function.__signature__ = shown  # type: ignore[attr-defined]
        return function
