"""Without these, a function could differ from core's table."""

import inspect

import pytest

import subflows
import subflows.aio
from operations import OPERATIONS


def parameters(function, *kinds):
    found = inspect.signature(function).parameters.values()
    return {parameter.name: parameter.default for parameter in found if parameter.kind in kinds}


def positional(function):
    kinds = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    return list(parameters(function, *kinds))


def keywords(function):
    return parameters(function, inspect.Parameter.KEYWORD_ONLY)


def test_the_functions_are_those_of_the_table():
    public = [name for name in subflows.__all__ if inspect.isroutine(getattr(subflows, name))]
    assert sorted(public) == sorted(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_parameters_and_defaults_are_those_of_the_table(name):
    function, row = getattr(subflows, name), OPERATIONS[name]
    assert positional(function) == row["positional"]
    assert keywords(function) == row["keywords"]


@pytest.mark.parametrize("name", OPERATIONS)
def test_docstrings_are_those_of_the_table(name):
    doc, row = inspect.getdoc(getattr(subflows, name)), OPERATIONS[name]
    paragraphs = [" ".join(paragraph.split()) for paragraph in doc.split("\n\n")]
    assert paragraphs[0].startswith(row["sentence"])
    assert row["requirements"] in paragraphs
    for keyword, default in row["keywords"].items():
        assert f"- `{keyword}`:" in doc, default


def test_pending_waits_and_asyncio_take_what_the_functions_take():
    assert inspect.signature(subflows.Opening) == without_result(subflows.open)
    assert inspect.signature(subflows.Probing) == without_result(subflows.probe)
    assert inspect.signature(subflows.Examining) == without_result(subflows.doctor)
    assert keywords(subflows.aio.doctor) == OPERATIONS["doctor"]["keywords"]
    assert keywords(subflows.aio.probe) == OPERATIONS["probe"]["keywords"]
    assert keywords(subflows.Connecting) == OPERATIONS["connect"]["keywords"]
    assert keywords(subflows.aio.connect) == OPERATIONS["connect"]["keywords"]
    # It also has those of asyncio's connecting.
    shown = keywords(subflows.aio.open_connection)
    assert shown == {**shown, **OPERATIONS["connect"]["keywords"]}
    assert keywords(subflows.aio.start_server) == OPERATIONS["listen"]["keywords"]


def without_result(function):
    return inspect.signature(function).replace(return_annotation=inspect.Signature.empty)
