"""An asyncio server that reports the paths of its clients: for each line of a client, a line per path.

python3 server.py HOST PORT. Requires no privilege.
"""

import asyncio
import sys

import subflows
import subflows.aio


def report(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    client = sock.getpeername()[0]
    state = subflows.status(sock).state
    if state is not subflows.State.MPTCP:
        print(f"{client}: one path only ({state.name})", flush=True)
        return
    for path in subflows.list(sock):
        # The client asked for it to be used only if no other path works.
        is_backup = subflows.details(sock, path.id).is_remote_backup
        words = f"{path.local[0]} <- {path.remote[0]}, {path.bytes_received} bytes"
        print(f"{client}: {words}{', backup' if is_backup else ''}", flush=True)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # This first data makes the connection ready for further paths of the client.
    writer.write(b"hello\n")
    try:
        while await reader.readline():
            report(writer)
    except (ConnectionError, subflows.SubflowsError) as error:
        print(error, file=sys.stderr)
    finally:
        writer.close()


async def main(host: str, port: str) -> None:
    # Clients without Multipath TCP are accepted as well.
    server = await subflows.aio.start_server(serve, host, int(port))
    host, number = server.sockets[0].getsockname()[:2]
    print(f"listening on {host} port {number}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        asyncio.run(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        pass
    except subflows.SubflowsError as error:
        sys.exit(f"{error.operation}: {error}")
