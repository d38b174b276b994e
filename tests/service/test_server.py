"""The processes behind `undertone serve`, as an operator sees them: signals, deaths, the log."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.support.sounds import hum_wav

UNDERTONE = (sys.executable, "-c", "from service.cli import app; app()")
WAV = {"Content-Type": "audio/wav"}
TLS = httpx.create_ssl_context(verify=False)  # unused, but slow to be made for every client
KEY = "somebodys-key-0123456789"
SHIPPED = Path(__file__).resolve().parents[2] / "models" / "undertone-ravdess-2"


@dataclass
class Served:
    """A service in processes of its own."""

    process: subprocess.Popen[str]
    url: str
    log: list[dict] = field(default_factory=list)

    def ask(self, method: str, path: str, **request: object) -> int:
        """The status of the answer; 0 where there is none."""
        try:
            with httpx.Client(base_url=self.url, timeout=60, verify=TLS) as client:
                return client.request(method, path, **request).status_code
        except httpx.TransportError:
            return 0

    def is_ready(self) -> bool:
        return self.ask("GET", "/readyz") == 200

    def workers(self) -> list[int]:
        """The ids of the processes that serve, of which the first to be started comes first."""
        started = [each for each in self.log if "Started server process" in each["message"]]
        return [int(each["message"].split("[")[1].rstrip("]")) for each in started]


@contextmanager
def serving(bundle: Path, **settings: object) -> Iterator[Served]:
    variables = {f"UNDERTONE_{name.upper()}": str(value) for name, value in settings.items()}
    process = subprocess.Popen(
        [*UNDERTONE, "serve", "--port", "0", "--models", bundle.parent],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **variables},
        text=True,
    )
    served = Served(process, "", [])
    reader = threading.Thread(
        target=lambda: served.log.extend(map(json.loads, process.stdout)), daemon=True
    )
    reader.start()
    try:
        until(lambda: bool(served.log), process)
        served.url = f"http://127.0.0.1:{served.log[0]['port']}"
        until(served.is_ready, process)
        yield served
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(120)
        finally:
            process.kill()
            reader.join(60)
            process.stdout.close()


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    for _ in range(2_400):
        assert process.poll() is None, "the service ended"
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("it did not come about")


@pytest.mark.slow
def test_sigterm_under_load_loses_nothing_that_was_accepted(bundle):
    clip = hum_wav(seconds=3)
    told = threading.Event()
    answers: Counter[str] = Counter()

    def ask(url: str) -> None:
        """One request after the other, each over its own connection, until there is none."""
        while True:
            with httpx.Client(base_url=url, timeout=60, verify=TLS) as client:
                try:
                    answer = client.post("/predict", content=clip, headers=WAV)
                    answers[f"{answer.status_code} {answer.json().get('code', '')}".strip()] += 1
                    assert ("retry-after" in answer.headers) == (answer.status_code == 503)
                    if told.is_set():
                        answers[f"readyz {client.get('/readyz').status_code}"] += 1
                except httpx.TransportError:
                    assert told.is_set()
                    return

    with serving(bundle, max_requests=4, max_waiting=2) as served, ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(ask, served.url) for _ in range(8)]
        until(lambda: answers["200"] > 20, served.process)
        served.process.send_signal(signal.SIGTERM)
        told.set()
        for client in clients:
            client.result()
        assert served.process.wait(30) == 0
    statuses = Counter(each.get("status") for each in served.log if each.get("route") == "/predict")
    assert statuses[200] == answers["200"], "each was answered, and each answer arrived"
    assert answers["503 not_ready"], "the port stays open for a moment"
    assert answers["readyz 503"], "and it says that this is the end"
    known = {"200", "503 overloaded", "503 not_ready", "readyz 200", "readyz 503"}
    assert set(answers) <= known


@pytest.mark.slow
def test_a_worker_that_is_killed_is_replaced_and_the_others_go_on():
    with serving(SHIPPED, workers=2, api_keys=f"somebody:{KEY}") as served:
        until(lambda: len(served.workers()) == 2, served.process)
        first, _ = served.workers()

        def ask() -> int:
            headers = {**WAV, "Authorization": f"Bearer {KEY}"}
            assert served.ask("GET", f"/models?note={KEY}", headers=headers) == 200
            return served.ask("POST", "/predict", content=hum_wav(), headers=headers)

        until(lambda: ask() == 200, served.process)
        os.kill(first, signal.SIGKILL)
        assert [ask() for _ in range(5)] == [200] * 5, "the other one answers"
        until(lambda: len(served.workers()) == 3, served.process)
        assert ask() == 200
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(60) == 0
    assert KEY not in json.dumps(served.log)
    assert {"somebody"} == {
        each["client"] for each in served.log if each.get("route") == "/predict"
    }
