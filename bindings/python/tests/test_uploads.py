"""Without these, data sent right after `open` could be damaged by the kernel.

SUBFLOWS_PLAYS is the number of runs; the default is 12."""

import hashlib
import http.client
import http.server
import os
import random
import signal
import time

import pytest

import subflows

PLAYS = int(os.environ.get("SUBFLOWS_PLAYS", "12"))


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers a body with its checksum."""

    protocol_version = "HTTP/1.1"

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(b"ok")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(hashlib.sha256(body).hexdigest().encode())

    def log_message(self, *_):
        pass


@pytest.fixture(params=["127.0.0.1", "::1"])
def address(request):
    """The address of a web server, in another process, as servers are."""
    with subflows.listen((request.param, 0)) as listener:
        address = listener.getsockname()[:2]
        pid = os.fork()
        if pid == 0:
            try:
                server = http.server.ThreadingHTTPServer(address, Handler, bind_and_activate=False)
                server.socket.close()
                server.socket = listener
                server.serve_forever()
            finally:
                os._exit(1)
    yield address
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def wait_until_idle(sock):
    deadline = time.monotonic() + 10
    while any(path.last_data_received_ms < 50 for path in subflows.list(sock)):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_an_upload_right_after_open_was_damaged(address):
    body = random.Random(1).randbytes(300_000)
    checksum = hashlib.sha256(body).hexdigest().encode()
    damaged = 0
    for _ in range(PLAYS):
        connection = http.client.HTTPConnection(*address)
        connection.sock = subflows.connect(address, control=True)
        connection.sock.settimeout(10)
        connection.request("GET", "/")
        connection.getresponse().read()
        wait_until_idle(connection.sock)
        connection.request("GET", "/")
        connection.getresponse().read()
        subflows.open(connection.sock)
        connection.request("POST", "/", body=body)
        answer = connection.getresponse()
        assert answer.status == 200
        damaged += answer.read() != checksum
        connection.close()
    assert damaged == 0, f"{damaged} of {PLAYS}"
