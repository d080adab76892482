"""Starts a server with a Multipath TCP listener, as systemd's socket activation does.

python3 activate.py HOST PORT COMMAND [ARGUMENT...]: the command finds the listener as descriptor 3, and the
number of listeners in LISTEN_FDS. Port 0 chooses a free port. Requires no privilege.

    python3 activate.py 0.0.0.0 8000 gunicorn app:app
    python3 activate.py 0.0.0.0 8000 uvicorn --fd 3 app:app
"""

import os
import sys

import subflows

FIRST = 3


def main(host: str, port: str, command: list[str]) -> None:
    listener = subflows.listen((host, int(port)))
    # On standard error, because standard output is the server's.
    print("listening on %s port %d" % listener.getsockname()[:2], file=sys.stderr, flush=True)
    if listener.fileno() != FIRST:
        os.dup2(listener.fileno(), FIRST)
    os.set_inheritable(FIRST, True)
    # The server keeps this process's number.
    os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
    os.execvp(command[0], command)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    try:
        main(sys.argv[1], sys.argv[2], sys.argv[3:])
    except (subflows.SubflowsError, OSError) as error:
        sys.exit(str(error))
