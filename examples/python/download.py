"""A download that opens a second path after 1 MiB, and survives the loss of its first.

python3 download.py HOST PORT INTERFACE FILE, with CAP_NET_ADMIN. Writes the data of the server to the file.
"""

import socket
import sys

import subflows

SECOND_PATH_AFTER = 1 << 20


def open_second_path(sock: socket.socket, interface: str) -> None:
    try:
        path = subflows.open(sock, interface=interface)
        print(f"opened {path.local[0]} -> {path.remote[0]}", flush=True)
    except subflows.SubflowsError as error:
        # The download continues on the first path.
        print(error, file=sys.stderr)


def main(host: str, port: str, interface: str, name: str) -> None:
    received = 0
    has_second_path = False
    with subflows.connect((host, int(port)), control=True) as sock, open(name, "wb") as file:
        # This loop does not see which path carries the data, or that a path is lost.
        while data := sock.recv(64 * 1024):
            file.write(data)
            received += len(data)
            if not has_second_path and received >= SECOND_PATH_AFTER:
                has_second_path = True
                open_second_path(sock, interface)
    print(f"{received} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except subflows.SubflowsError as error:
        sys.exit(f"{error.operation}: {error}")
