"""The service in processes of its own, and what the system says about them. Linux alone."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass
class Process:
    """A running service."""

    popen: subprocess.Popen[str]
    port: int
    log: list[dict[str, Any]] = field(default_factory=list)
    """All that it logged but for requests."""
    predictions: Counter[int] = field(default_factory=Counter)
    """How many it says that it answered with which status."""

    def read(self) -> None:
        """Take in its log until it ends."""
        for line in map(json.loads, self.popen.stdout):
            if line["message"] != "answered":
                self.log.append(line)
            elif line["route"] == "/predict":
                self.predictions[line["status"]] += 1

    def status(self, path: str = "/readyz") -> int:
        """What it answers there; 0 where it does not."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, HTTPException):
            return 0
        finally:
            connection.close()

    def workers(self) -> list[int]:
        """The ids of all processes that ever began to serve, in that order."""
        began = [
            each["message"] for each in self.log if "Started server process" in each["message"]
        ]
        return [int(message.split("[")[1].rstrip("]")) for message in began]

    def ready_workers(self) -> int:
        """How many processes ever became ready."""
        return sum("startup complete" in each["message"] for each in self.log)

    def end(self) -> int:
        """Tell it to end, and wait until it has. The exit code."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(60)


@contextmanager
def serving(**settings: object) -> Iterator[Process]:
    """The service with these settings, from when it is ready."""
    variables = {f"UNDERTONE_{name.upper()}": str(value) for name, value in settings.items()}
    popen = subprocess.Popen(
        [sys.executable, "-c", "from service.cli import app; app()", "serve", "--port", "0"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    first = json.loads(popen.stdout.readline())
    process = Process(popen, first["port"], [first])
    reader = threading.Thread(target=process.read, daemon=True)
    reader.start()
    try:
        wait_for(lambda: process.status() == 200)
        yield process
    finally:
        if popen.poll() is None:
            popen.terminate()
        popen.wait(60)
        reader.join()


def wait_for(condition: Callable[[], object], within_s: float = 180.0) -> float:
    """How many seconds it took until ``condition`` held.

    Raises:
        TimeoutError: it did not, within ``within_s``.
    """
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > within_s:
            raise TimeoutError(f"it did not come about within {within_s:g} s")
        time.sleep(0.05)
    return time.monotonic() - started


def resident_mb(pid: int) -> float:
    """The memory of a process that is not shared out to disk, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)
