"""Reports whether a server, and every middlebox on the way to it, supports Multipath TCP.

python3 fallback.py HOST PORT. The server must send something. Requires no privilege.
"""

import socket
import sys

import subflows
from subflows import State

VERDICTS = {
    State.MPTCP: "Multipath TCP",
    State.FELL_BACK: "plain TCP: the server, or a middlebox on the way, does not speak Multipath TCP",
    State.TCP: "plain TCP: this kernel has no Multipath TCP, or net.mptcp.enabled is 0",
    State.CLOSED: "the connection is closed",
}


def verdict(sock: socket.socket) -> str:
    status = subflows.status(sock)
    text = VERDICTS.get(status.state, status.state.name)
    return f"{text}, and further paths can be opened" if status.is_ready else text


def main(host: str, port: str) -> None:
    with subflows.connect((host, int(port)), timeout=10) as sock:
        print(f"after the handshake: {verdict(sock)}", flush=True)

        # Some middleboxes strip the options of data segments only, so check again.
        sock.settimeout(10)
        sock.recv(1)
        print(f"after the first byte: {verdict(sock)}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except subflows.SubflowsError as error:
        sys.exit(f"{error.operation}: {error}")
    except socket.timeout:
        sys.exit("the server sent no data within 10 seconds")
