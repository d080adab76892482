"""Connects, opens a second path over an interface, lists both, and closes it again.

python3 list_and_open.py HOST PORT INTERFACE, with CAP_NET_ADMIN. The server must send something.
"""

import sys

import subflows


def main(host: str, port: str, interface: str) -> None:
    # With control, the application manages the paths, not the kernel.
    with subflows.connect((host, int(port)), control=True) as sock:
        # A connection accepts further paths after its first byte of data.
        sock.recv(1)

        extra = subflows.open(sock, interface=interface)
        for path in subflows.list(sock):
            print(f"{path.id}: {path.local[0]} -> {path.remote[0]}, {path.rtt_us / 1000} ms")

        # This closes the path. The connection and the socket stay open.
        subflows.close(sock, extra.id)
        print(f"{len(subflows.list(sock))} left")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except subflows.SubflowsError as error:
        sys.exit(f"{error.operation}: {error}")
