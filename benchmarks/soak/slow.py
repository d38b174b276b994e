"""Two hundred clients that say next to nothing, beside one that asks."""

import socket
import statistics
import time
from contextlib import ExitStack
from typing import Any, Final

from benchmarks.soak.load import run_alone
from benchmarks.soak.process import serving

CONNECTIONS: Final = 200
TIMES: Final = 50

HEADER: Final = b"POST /predict HTTP/1.1\r\nHost: soak\r\nContent-Type: audio/wav\r\n"
KINDS: Final = {
    "silent": (b"", b""),
    "header byte by byte": (HEADER + b"X-Slow: ", b"x"),
    "body byte by byte": (HEADER + b"Content-Length: 20000000\r\n\r\nRIFF", b"x"),
    "body that stops": (HEADER + b"Content-Length: 20000000\r\n\r\n" + bytes(100_000), b""),
}
"""What is said at once, and then every second."""


def measure() -> dict[str, Any]:
    """How long a request takes beside each kind of them, and how long they are put up with.

    Raises:
        RuntimeError: some are still connected after a minute.
    """
    found = {}
    with serving(upload_timeout_s=10) as process:
        run_alone(process.port, 20)
        alone = statistics.median(run_alone(process.port, TIMES))
        for kind, (first, then) in KINDS.items():
            found[kind] = _beside(process.port, first, then)
    return {
        "connections": CONNECTIONS,
        "alone_ms": round(1e3 * alone, 1),
        "beside": found,
    }


def _beside(port: int, first: bytes, then: bytes) -> dict[str, float]:
    with ExitStack() as stack:
        slow = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            for _ in range(CONNECTIONS)
        ]
        began = time.monotonic()
        for connection in slow:
            connection.sendall(first)
            connection.setblocking(False)
        taken = run_alone(port, TIMES)
        open_ = set(slow)
        while open_ and time.monotonic() - began < 60:
            open_ = {connection for connection in open_ if _is_open(connection, then)}
            time.sleep(1)
        if open_:
            raise RuntimeError(f"{len(open_)} slow connections are still open after a minute")
    return {
        "median_ms": round(1e3 * statistics.median(taken), 1),
        "max_ms": round(1e3 * max(taken), 1),
        "closed_after_s": round(time.monotonic() - began),
    }


def _is_open(connection: socket.socket, then: bytes) -> bool:
    try:
        connection.send(then)
        return connection.recv(4_096) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False
