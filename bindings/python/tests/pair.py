"""Both ends of a connection in one process."""

import subflows


class Pair:
    """Both ends of a connection, and its listener."""

    def __init__(self, host: str = "127.0.0.1", control: bool = True) -> None:
        self.listener = subflows.listen((host, 0))
        self.client = subflows.connect(self.listener.getsockname()[:2], control=control)
        self.server, _ = self.listener.accept()
        for end in (self.client, self.server):
            end.settimeout(10)
        self.moves_data()

    def moves_data(self) -> bool:
        """Sends a byte each way: the connection works, and is ready for subflows."""
        for a, b in ((self.client, self.server), (self.server, self.client)):
            a.sendall(b"x")
            assert b.recv(1) == b"x"
        return True

    def close(self) -> None:
        for sock in (self.client, self.server, self.listener):
            sock.close()
