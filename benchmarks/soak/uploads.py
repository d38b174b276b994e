"""A thousand bad uploads to a real server, then a good one: the same answer, and nothing left behind."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import httpx

from tests.hostile.test_uploads import CORPUS, scores
from tests.hostile.upload import PLAIN

ROUNDS: Final = 1_000
GROWTH_MB: Final = 30
"""What allocators may keep, of a process that takes hundreds."""

RAW: Final = {"Content-Type": "audio/wav"}


def measure() -> dict[str, Any]:
    """Send them all; how the memory went, what lies in the folder for temporary files.

    Raises:
        AssertionError: the good upload was answered differently, a file was left, or memory grew.
    """
    bad = [upload for upload in CORPUS.values() if upload.code]
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        environment = {**os.environ, "TMPDIR": folder, "UNDERTONE_PORT": str(port)}
        command = [sys.executable, "-c", "from service.cli import app; app()", "serve"]
        server = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                _await_ready(client)
                before = scores(client.post("/predict", content=PLAIN, headers=RAW).json())
                memory, statuses = [], {}
                for _ in range(3):  # the first warms up what is only made once
                    for upload in islice(cycle(bad), ROUNDS):
                        response = client.post(
                            "/predict",
                            content=upload.data,
                            headers=upload.headers,
                            params=upload.query,
                        )
                        assert response.status_code < 500, response.text
                        statuses[response.status_code] = statuses.get(response.status_code, 0) + 1
                    memory.append(_resident_mb(server.pid))
                after = scores(client.post("/predict", content=PLAIN, headers=RAW).json())
                left = [path.name for path in Path(folder).iterdir()]
        finally:
            server.terminate()
            server.wait()
    assert after == before
    assert left == []
    assert memory[-1] - memory[0] < GROWTH_MB, memory
    return {
        "bad_uploads": 3 * ROUNDS,
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "good_answer_unchanged": True,
        "temporary_files": len(left),
        "memory_mb_after_each_thousand": [round(each, 1) for each in memory],
    }


def _resident_mb(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _await_ready(client: httpx.Client) -> None:
    for _ in range(600):
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError("the service was not ready within a minute")
