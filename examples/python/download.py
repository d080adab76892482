"""A download that opens a second path after 1 MiB, and survives the loss of its first.

python3 download.py HOST PORT INTERFACE FILE, with CAP_NET_ADMIN. Writes what the server sends to the file.
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
        # If the second path cannot be opened, the download goes on over the first.
        print(error, file=sys.stderr)


def main(host: str, port: str, interface: str, name: str) -> None:
    received = 0
    has_second_path = False
    with subflows.connect((host, int(port)), control=True) as sock, open(name, "wb") as file:
        # This code does not know over which path the bytes arrive, or that one path has failed.
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
