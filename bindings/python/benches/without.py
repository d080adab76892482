"""What a program does without this package: ctypes, `ss`, and the C library."""

import ctypes
import re
import socket
import struct
import subprocess

SOL_MPTCP, MPTCP_INFO, MPTCP_FULL_INFO = 284, 1, 4
LIBC = ctypes.CDLL(None, use_errno=True)
INFO_SIZE = 104


class TcpInfo(ctypes.Structure):
    """`struct tcp_info`, up to the fields that programs use most."""

    _fields_ = [
        ("state", ctypes.c_uint8),
        ("head", ctypes.c_uint8 * 7),
        ("rto", ctypes.c_uint32),
        ("other", ctypes.c_uint32 * 14),
        ("rtt", ctypes.c_uint32),
        ("rttvar", ctypes.c_uint32),
        ("ssthresh", ctypes.c_uint32),
        ("cwnd", ctypes.c_uint32),
        ("rest", ctypes.c_uint8 * 140),
    ]


class SubflowInfo(ctypes.Structure):
    """`struct mptcp_subflow_info`."""

    _fields_ = [
        ("id", ctypes.c_uint32),
        ("_", ctypes.c_uint32),
        ("local", ctypes.c_uint8 * 128),
        ("remote", ctypes.c_uint8 * 128),
    ]


class FullInfo(ctypes.Structure):
    """`struct mptcp_full_info`."""

    _fields_ = [
        ("size_tcpinfo_kernel", ctypes.c_uint32),
        ("size_tcpinfo_user", ctypes.c_uint32),
        ("size_sfinfo_kernel", ctypes.c_uint32),
        ("size_sfinfo_user", ctypes.c_uint32),
        ("num_subflows", ctypes.c_uint32),
        ("size_arrays_user", ctypes.c_uint32),
        ("subflow_info", ctypes.c_uint64),
        ("tcp_info", ctypes.c_uint64),
        ("info", ctypes.c_uint8 * INFO_SIZE),
    ]


def address(raw: bytes) -> tuple:
    (family,) = struct.unpack_from("H", raw)
    (port,) = struct.unpack_from("!H", raw, 2)
    if family == socket.AF_INET:
        return socket.inet_ntop(family, raw[4:8]), port
    flow, scope = struct.unpack_from("!I", raw, 4)[0], struct.unpack_from("I", raw, 24)[0]
    return socket.inet_ntop(family, raw[8:24]), port, flow, scope


class Lister:
    """Lists subflows by ctypes; its buffers are made once."""

    def __init__(self) -> None:
        self.ends, self.paths = (SubflowInfo * 8)(), (TcpInfo * 8)()
        self.full = FullInfo()
        self.size = ctypes.c_uint32()
        self.pointers = ctypes.byref(self.full), ctypes.byref(self.size)

    def list(self, sock: socket.socket) -> list:
        full = self.full
        full.size_tcpinfo_kernel = full.size_sfinfo_kernel = full.num_subflows = 0
        full.size_tcpinfo_user = ctypes.sizeof(TcpInfo)
        full.size_sfinfo_user = ctypes.sizeof(SubflowInfo)
        full.size_arrays_user = 8
        full.subflow_info = ctypes.addressof(self.ends)
        full.tcp_info = ctypes.addressof(self.paths)
        self.size.value = ctypes.sizeof(FullInfo)
        if LIBC.getsockopt(sock.fileno(), SOL_MPTCP, MPTCP_FULL_INFO, *self.pointers):
            raise OSError(ctypes.get_errno(), "getsockopt")
        return [
            {
                "id": ends.id,
                "local": address(bytes(ends.local)),
                "remote": address(bytes(ends.remote)),
                "state": path.state,
                "rtt_us": path.rtt,
            }
            for ends, path in zip(self.ends[: full.num_subflows], self.paths)
        ]


def info(sock: socket.socket) -> bytes:
    return sock.getsockopt(SOL_MPTCP, MPTCP_INFO, INFO_SIZE)


TOKEN = re.compile(r"\btoken:([0-9a-f]+)")


def connections() -> list:
    """Runs `ss`, and parses its output: two lines per connection."""
    shown = subprocess.run(["ss", "-HMni"], capture_output=True, text=True, check=True).stdout
    found, lines = [], iter(shown.splitlines())
    for head, tail in zip(lines, lines):
        state, receive_queue, send_queue, local, remote = head.split()[:5]
        token = TOKEN.search(tail)
        found.append(
            {
                "state": state,
                "receive_queue": int(receive_queue),
                "send_queue": int(send_queue),
                "local": end(local),
                "remote": end(remote),
                "token": token and int(token[1], 16),
            }
        )
    return found


def end(text: str) -> tuple:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


class OpenOptions(ctypes.Structure):
    """`struct subflows_open_options`, see include/subflows.h."""

    _fields_ = [
        ("local", ctypes.c_char_p),
        ("interface", ctypes.c_char_p),
        ("remote", ctypes.c_char_p),
        ("local_length", ctypes.c_uint32),
        ("remote_length", ctypes.c_uint32),
        ("timeout_ms", ctypes.c_uint32),
        ("local_port", ctypes.c_uint16),
        ("backup", ctypes.c_bool),
        ("unbound", ctypes.c_bool),
    ]


class Opener:
    """Opens a subflow by the C library: what core takes, and the call of a function by ctypes."""

    def __init__(self, library: str, sock: socket.socket, local: str) -> None:
        self.open = ctypes.CDLL(library).subflows_open
        self.open.argtypes = [
            ctypes.c_int,
            ctypes.c_void_p,
            ctypes.c_size_t,
            ctypes.c_void_p,
            ctypes.c_size_t,
        ]
        self.local = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(local))
        self.options = OpenOptions(local=self.local, local_length=len(self.local))
        self.arguments = (
            sock.fileno(),
            ctypes.addressof(self.options),
            ctypes.sizeof(self.options),
            None,
            0,
        )

    def __call__(self) -> None:
        code = self.open(*self.arguments)
        assert code == 0, code
