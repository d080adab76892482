"""gRPC, as it comes: its core makes its own sockets, so both ends are started by mptcpize for Multipath TCP.

rpc.py serve HOST PORT, or rpc.py ask HOST PORT COUNT: prints "half" when half of the requests are answered, goes on
when it reads a line, and prints the number of right answers.
"""

import concurrent.futures
import sys

import grpc

METHOD = "/Echo/Echo"


class Echo(grpc.GenericRpcHandler):
    """Sends back what it gets."""

    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda request, context: request)


def serve(host: str, port: str) -> None:
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), handlers=[Echo()])
    bound = server.add_insecure_port(f"{host}:{port}")
    server.start()
    print(f"listening on {host} port {bound}", file=sys.stderr, flush=True)
    server.wait_for_termination()


def body(number: int) -> bytes:
    return f"{number} ".encode() * (20_000 if number % 25 == 0 else 1)


def ask(host: str, port: str, count: str) -> None:
    right = 0
    with grpc.insecure_channel(f"{host}:{port}") as channel:
        echo = channel.unary_unary(METHOD)
        for number in range(int(count)):
            right += echo(body(number), timeout=60) == body(number)
            if number == int(count) // 2:
                print("half", flush=True)
                sys.stdin.readline()
    print(right, flush=True)


if __name__ == "__main__":
    {"serve": serve, "ask": ask}[sys.argv[1]](*sys.argv[2:])
