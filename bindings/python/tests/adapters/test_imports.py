"""Without it, a program could import libraries that it does not use."""

import subprocess
import sys

import pytest

# Each adapter, and what it may import.
OWN = {
    "aiohttp": {"aiohttp"},
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


@pytest.mark.parametrize("adapter", OWN)
def test_an_adapter_imports_its_own(adapter):
    assert imported_with(f"subflows.adapters.{adapter}") == OWN[adapter]
