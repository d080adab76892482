"""Makes every TCP socket of this process a Multipath TCP socket, as porting by search and replace would."""

import socket

import subflows

FAMILIES = (-1, socket.AF_INET, socket.AF_INET6)
PROTOCOLS = (-1, 0, socket.IPPROTO_TCP)
FLAGS = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC


def install() -> None:
    make = socket.socket.__init__

    def init(self, family=-1, type=-1, proto=-1, fileno=None) -> None:
        is_stream = type == -1 or type & ~FLAGS == socket.SOCK_STREAM
        if fileno is not None or family not in FAMILIES or proto not in PROTOCOLS or not is_stream:
            make(self, family, type, proto, fileno)
            return
        family = socket.AF_INET if family == -1 else family
        ours = subflows.socket(family)
        make(self, family, socket.SOCK_STREAM, max(proto, 0), ours.detach())
        if type != -1 and type & socket.SOCK_NONBLOCK:
            self.setblocking(False)

    socket.socket.__init__ = init
