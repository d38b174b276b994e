"""The service as people run it, in a process of its own, and what that process uses."""

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks import tree


class Server:
    """A running service."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self._pid = pid

    def rss_mb(self) -> float:
        """What it and its helpers hold in memory now, in MB; what they share counts for each."""
        return tree.rss_mb(self._pid)

    def cpu_s(self) -> float:
        """The processor time that it and its helpers used so far, in seconds."""
        return tree.cpu_s(self._pid)

    @contextmanager
    def peak_rss(self) -> Iterator[list[float]]:
        """A list with the most that it held while the block lasted, in MB, once that has ended."""
        seen = [self.rss_mb()]
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(0.005):
                seen.append(self.rss_mb())

        thread = threading.Thread(target=watch)
        thread.start()
        result: list[float] = []
        try:
            yield result
        finally:
            ended.set()
            thread.join()
            result.append(max(seen))


@contextmanager
def served(**settings: object) -> Iterator[Server]:
    """A service with the shipped models, ready; settings as environment variables, in lower case."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        **{f"UNDERTONE_{name.upper()}": str(value) for name, value in settings.items()},
    }
    command = [sys.executable, "-c", "from service.cli import app; app()", "serve"]
    process = subprocess.Popen(
        [*command, "--port", str(port)], env=environment, stdout=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        while process.poll() is None:
            try:
                if httpx.get(f"{url}/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        else:
            sys.exit("the service did not start")
        yield Server(url, process.pid)
    finally:
        process.terminate()
        process.wait(30)


def machine() -> dict[str, object]:
    """Where a figure comes from, and what else was going on there."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {
        "processor": model[1] if model else "unknown",
        "processors": os.cpu_count(),
        "load_average": [round(load, 1) for load in os.getloadavg()],
    }
