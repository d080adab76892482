"""Without it, a program could import libraries that it does not use."""

import subprocess
import sys

import pytest

# Each adapter, and what it may import.
OWN = {
    "aiohttp": {"aiohttp"},
    "gevent": {"gevent"},
    "http_server": set(),
    # httpcore itself imports trio, if it is installed.
    "httpcore": {"anyio", "httpcore", "trio"},
    "httpx": {"anyio", "httpcore", "httpx", "trio"},
    "requests": {"requests", "urllib3"},
    "ssl": set(),
    "urllib3": {"urllib3"},
}
LIBRARIES = set().union(*OWN.values()) | {"trio", "uvloop"}


def imported_with(module: str) -> set:
    program = f"import sys, {module}; print(*sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout
    return LIBRARIES & set(told.split())


def test_the_package_imports_none():
    assert imported_with("subflows, subflows.aio, subflows.adapters") == set()


OLD = [
    ("aiohttp", "aiohttp", "3.11.18", "aiohttp>=3.12"),
    ("requests", "urllib3", "1.26.20", "urllib3>=2.0"),
    ("urllib3", "urllib3", "1.26.20", "urllib3>=2.0"),
]


@pytest.mark.parametrize("adapter, library, version, remedy", OLD)
def test_an_old_library_is_named(adapter, library, version, remedy):
    program = f"import {library}; {library}.__version__ = '{version}'; import subflows.adapters.{adapter}"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert f"ImportError: subflows.adapters needs {library} " in told.stderr
    assert f"this is {library} {version}: pip install '{remedy}'" in told.stderr


@pytest.mark.parametrize("adapter", OWN)
def test_an_adapter_imports_its_own(adapter):
    assert imported_with(f"subflows.adapters.{adapter}") == OWN[adapter]
