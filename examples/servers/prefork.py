"""A prefork server: processes that accept on one Multipath TCP listener. Sends back what it gets.

python3 prefork.py HOST PORT PROCESSES: port 0 chooses a free port. Requires no privilege.
"""

import os
import selectors
import socket
import sys

import subflows


def echo(client: socket.socket) -> None:
    """Sends back each line."""
    with client, client.makefile("rwb") as stream:
        for line in stream:
            stream.write(line)
            stream.flush()


def serve(listener: socket.socket) -> None:
    """Accepts with `select`, as event loops do. The listener does not block, because another process may have
    accepted the client by which `select` woke this one."""
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            selector.select()
            try:
                client, address = listener.accept()
            except BlockingIOError:
                continue
            try:
                echo(client)
            except OSError as error:  # this client has gone
                print(address[0], error, file=sys.stderr)


def main(host: str, port: str, processes: str) -> None:
    with subflows.listen((host, int(port)), blocking=False) as listener:
        print("listening on %s port %d" % listener.getsockname()[:2], file=sys.stderr, flush=True)
        for _ in range(int(processes)):
            if os.fork() == 0:
                serve(listener)
        os.wait()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        main(sys.argv[1], sys.argv[2], sys.argv[3])
    except (subflows.SubflowsError, OSError) as error:
        sys.exit(str(error))
