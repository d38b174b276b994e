"""README's blocks, run as they stand: by a shell, against the service that its first line starts."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import pytest

from undertone.bundle import read_manifest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
API = (ROOT / "docs" / "api.md").read_text()


def blocks(language, text=README):
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found
    return found


def block(language, containing, text=README):
    (found,) = [block for block in blocks(language, text) if containing in block]
    return found


def environment():
    """The commands of this environment first on the path, as after `source .venv/bin/activate`."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path}


def shell(command):
    done = subprocess.run(
        ["bash", "-euc", command],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def url():
    """The service, started by the command of README on a port of its own."""
    if not (ROOT / ".venv" / ".serve").exists():
        pytest.skip("`make serve` would build an environment: run the tests with `make test`")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = block("sh", "make serve").strip().split()
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([*command, f"PORT={port}"], cwd=ROOT, stdout=log, stderr=log)
        try:
            wait_for(address, process, log)
            yield address
        finally:
            process.terminate()
            process.wait(30)


def wait_for(address, process, log):
    for _ in range(600):
        if process.poll() is not None:
            log.seek(0)
            pytest.fail(log.read().decode())
        try:
            if httpx.get(f"{address}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    pytest.fail("the service did not become ready")


def shown(reply):
    """What of a reply is the same on every machine: all but times, the id, and the last digits."""
    rounded = json.loads(json.dumps(reply), parse_float=lambda text: round(float(text), 2))
    return {key: value for key, value in rounded.items() if key not in ("timing_ms", "request_id")}


@pytest.mark.slow
def test_curl_prints_what_readme_prints(url):
    printed = shell(block("sh", "curl").replace("http://localhost:8000", url))
    assert shown(json.loads(printed)) == shown(json.loads(block("json", "probabilities")))


@pytest.mark.slow
def test_the_requests_of_the_api_document(url):
    for line in block("sh", "top_k=3", API).splitlines():
        reply = json.loads(shell(line.replace("http://localhost:8000", url)))
        assert reply["label"] == json.loads(block("json", "probabilities"))["label"]
    code = block("python", "httpx", API).replace("http://localhost:8000", url)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    label = json.loads(block("json", "probabilities"))["label"]
    assert done.stdout.split()[0] == label

    reply = json.loads(shell(block("sh", "batch", API).replace("http://localhost:8000", url)))
    assert reply["results"][0]["prediction"]["label"] == label
    assert reply["results"][1]["problem"]["code"] == "unsupported_audio"

    code = block("python", "websockets", API).replace("ws://localhost:8000", f"ws{url[4:]}")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    *segments, summary = done.stdout.splitlines()
    assert [line.split()[1] for line in segments][:3] == ["0.5", "1.0", "1.5"]
    assert summary.split()[:2] == ["summary", label]


@pytest.mark.slow
def test_python():
    done = subprocess.run(
        [sys.executable, "-c", block("python", "undertone.load")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == json.loads(block("json", "probabilities"))["label"]


@pytest.mark.slow
def test_the_terminal():
    if shutil.which("undertone", path=environment()["PATH"]) is None:
        pytest.skip("the project is not installed: run the tests with `make test`")
    printed = shell(block("sh", "undertone predict"))
    assert json.loads(block("json", "probabilities"))["label"] in printed


def test_the_figures_are_the_manifests():
    metrics = read_manifest(ROOT / "models" / "undertone-ravdess").metrics["ravdess/emobox-6fold"]
    low, high = metrics.uar_ci95
    for value in (metrics.uar, metrics.accuracy, metrics.macro_f1, metrics.ece, low, high):
        assert f"{value:.3f}" in README


def test_no_block_is_forgotten():
    """Every block is run above, but for one that needs a Docker engine."""
    unrun = [text for language, text in BLOCKS if language == "sh" and "docker" in text]
    assert unrun == ["docker compose up\n"]
    assert [language for language, _ in BLOCKS] == ["sh", "sh", "json", "python", "sh", "sh"]
