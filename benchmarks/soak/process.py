"""The service in processes of its own, and what the system says about them. Linux alone."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Process:
    """A running service, which writes its log to a file: a pipe would slow it down when it is full."""

    popen: subprocess.Popen[bytes]
    log: Path

    def lines(self) -> list[dict[str, Any]]:
        """All that it has logged."""
        whole = self.log.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    @property
    def port(self) -> int:
        """Where it listens."""
        with self.log.open() as log:
            return int(json.loads(log.readline())["port"])

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

    def predictions(self) -> Counter[int]:
        """How many it says that it answered with which status."""
        return Counter(each["status"] for each in self.lines() if each.get("route") == "/predict")

    def workers(self) -> list[int]:
        """The ids of all processes that ever began to serve, in that order."""
        messages = [each["message"] for each in self.lines()]
        began = [message for message in messages if "Started server process" in message]
        return [int(message.split("[")[1].rstrip("]")) for message in began]

    def ready_workers(self) -> int:
        """How many processes ever became ready."""
        return sum("startup complete" in each["message"] for each in self.lines())

    def end(self) -> int:
        """Tell it to end, and wait until it has. The exit code."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(60)


@contextmanager
def serving(**settings: object) -> Iterator[Process]:
    """The service with these settings, from when it is ready."""
    variables = {f"UNDERTONE_{name.upper()}": str(value) for name, value in settings.items()}
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("wb") as log:
        popen = subprocess.Popen(
            [sys.executable, "-c", "from service.cli import app; app()", "serve", "--port", "0"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
            stdout=log,
            stderr=subprocess.DEVNULL,
        )
        process = Process(popen, Path(log.name))
        try:
            wait_for(lambda: process.lines() and process.status() == 200)
            yield process
        finally:
            if popen.poll() is None:
                popen.terminate()
            popen.wait(60)


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
