"""Without it, the README's programs for other libraries could fail."""

import os
import pathlib
import re
import subprocess
import sys
import time

import pytest

import subflows

README = pathlib.Path(__file__).parents[2] / "README.md"
SECTION = README.read_text().split("## The libraries you use\n")[1].split("\n## ")[0]
SNIPPETS = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
CLIENTS = [snippet for snippet in SNIPPETS if "server.example" in snippet]
SERVERS = [snippet for snippet in SNIPPETS if "8080" in snippet]


def test_every_snippet_is_one_or_the_other():
    assert len(CLIENTS) == 6 and len(SERVERS) == 2
    assert len(SNIPPETS) == len(CLIENTS) + len(SERVERS)


def connected(address):
    """A connection to a server that may not have started yet."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return subflows.connect(address, timeout=10)
        except subflows.RefusedError:
            if time.monotonic() > deadline:
                raise


@pytest.mark.parametrize(
    "snippet, served",
    [(snippet, "http" if '("server.example", 80)' in snippet else "https") for snippet in CLIENTS],
    indirect=["served"],
)
@pytest.mark.parametrize("path", ["", "short"])
def test_a_client_runs(snippet, served, certificates, tmp_path, path):
    """In an empty folder, with a large answer and a small one."""
    # Replaces the names of the server and of the interface.
    host, port = served.address
    local = snippet.replace('interface="wwan0"', 'local="127.0.0.2"')
    local = local.replace("https://server.example/", served.url + path).replace("GET / ", f"GET /{path} ")
    local = re.sub(r'\("server.example", \d+\)', repr((host, port)), local)
    local = local.replace("Host: server.example", f"Host: {host}")
    assert "wwan0" not in local and "server.example" not in local
    trusted = dict.fromkeys(["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"], certificates.authority)
    environment = {**os.environ, **trusted}
    subprocess.run([sys.executable, "-c", local], check=True, timeout=60, env=environment, cwd=tmp_path)


@pytest.mark.parametrize("snippet", SERVERS)
def test_a_server_runs(snippet):
    # A port that was free just now, in a namespace that no other program uses.
    with subflows.listen(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    assert '("", 8080)' in snippet
    snippet = snippet.replace('("", 8080)', repr(address))
    with subprocess.Popen([sys.executable, "-c", snippet]) as server:
        try:
            with connected(address) as client:
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                with client.makefile("rb") as answer:
                    assert answer.read().endswith(
                        f"{client.getpeername()} {client.getsockname()}\n".encode()
                    )
        finally:
            server.kill()
