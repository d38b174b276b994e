"""The blocks of README and docs/, run as they stand against the service that README's first line starts."""

import json
import os
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from playwright.sync_api import sync_playwright

from service.cli import app
from tests.support.documents import ROOT, Block, blocks
from training import abstain, predictions, robustness
from training.evaluate import uar_of
from training.metrics import bootstrap_uar, ece
from training.paired import paired
from training.standings import reports
from undertone.bundle import read_manifest

RUN = ("README.md", "docs/quickstart.md", "docs/api.md", "docs/python.md")
"""Whose blocks are run, each and every one but those below."""

PARSED = ("docs/terminal.md", "docs/models.md")
"""Whose commands are only parsed: what they do is tested where the command is."""

ELSEWHERE = {
    "docker compose up": "needs a Docker engine; test_container.py tests the files that it reads",
    "make serve": "is the fixture below",
    "source .venv/bin/activate": "is what `environment` does",
}

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def chosen(*languages: str) -> list[Block]:
    found = [block for document in RUN for block in blocks(document, *languages)]
    once = {block.text: block for block in reversed(found)}
    return [block for text, block in reversed(once.items()) if text.strip() not in ELSEWHERE]


def at(text: str, url: str) -> str:
    """The text, with the address that documents name replaced by that of the fixture."""
    return text.replace("//localhost:8000", url.removeprefix("http:"))


def environment() -> dict[str, str]:
    """The commands of this environment first on the path, as after `source .venv/bin/activate`."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The service, started by the command of README on a port of its own.

    Outside of `make test`, which has built the environment already, by what that command runs.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["make", "serve", f"PORT={port}"]
    if not (ROOT / ".venv" / ".serve").exists():
        code = "from service.cli import app; app()"
        command = [sys.executable, "-c", code, "serve", "--port", str(port)]
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            wait_for(address, process, log)
            yield address
        finally:
            process.terminate()
            process.wait(30)


def wait_for(address, process, log):
    for _ in range(1_500):
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What looks like a checkout from within; what blocks write does not land in the real one."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("examples", "models", "README.md"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def run(arguments: list[str], folder: Path) -> str:
    done = subprocess.run(
        arguments, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("block", chosen("sh"), ids=str)
def test_shell(block, url, folder):
    if "undertone " in block.text and not shutil.which("undertone", path=environment()["PATH"]):
        pytest.skip("the project is not installed: run the tests with `make test`")
    for line in block.text.replace("\\\n", " ").splitlines():
        printed = run(["bash", "-euc", at(line, url)], folder)
        if "-o " not in line:
            assert "calm" in printed or "undertone-ravdess-2" in printed


@pytest.mark.slow
@pytest.mark.parametrize("document", RUN)
def test_python(document, url, folder):
    """All blocks of a document in one process, each with names of its own: TensorFlow loads once."""
    codes = [at(block.text, url) for block in blocks(document, "python")]
    assert codes
    program = "\n".join(f"exec(compile({code!r}, 'block', 'exec'), {{}})" for code in codes)
    printed = run([sys.executable, "-c", program], folder)
    assert printed.count("calm") >= len(codes) - ("AudioError" in "".join(codes))


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="needs Chromium on the PATH")
@pytest.mark.parametrize("block", chosen("js"), ids=str)
def test_javascript(block, url):
    """In a page of the service; ``input`` is where somebody picked a file."""
    data = list((ROOT / "examples" / "hello.wav").read_bytes())
    said: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"], timeout=120_000
        )
        page = browser.new_page(bypass_csp=True)  # as a page of one's own
        page.goto(f"{url}/healthz")
        page.on("console", lambda message: said.append(message.text))
        page.evaluate(
            "async data => { const file = new File([new Uint8Array(data)], 'hello.wav'); "
            f"const input = {{ files: [file] }};\n{at(block.text, url)}\n }}",
            data,
        )
        for _ in range(600):
            if "calm" in " ".join(said):
                break
            page.wait_for_timeout(100)
        browser.close()
    assert "calm" in " ".join(said)


def commands() -> list[str]:
    found = [
        line
        for document in PARSED
        for block in blocks(document, "sh")
        for line in block.text.splitlines()
        if line.startswith("undertone ")
    ]
    assert len(found) > 8
    return found


@pytest.mark.parametrize("command", commands())
def test_commands_are_understood(command):
    _, name, *arguments = shlex.split(command.partition("|")[0])
    group: Any = typer.main.get_command(app)
    group.commands[name].make_context(name, arguments)


def reply_of_readme():
    (block,) = blocks("README.md", "json")
    return json.loads(block.text)


def shown(reply):
    """What of a reply is the same on every machine: all but times, the id, and the last digits."""
    rounded = json.loads(json.dumps(reply), parse_float=lambda text: round(float(text), 2))
    return {key: value for key, value in rounded.items() if key not in ("timing_ms", "request_id")}


@pytest.mark.slow
def test_curl_prints_what_readme_prints(url, folder):
    (curl,) = [block for block in blocks("README.md", "sh") if "curl" in block.text]
    printed = run(["bash", "-euc", at(curl.text, url)], folder)
    assert shown(json.loads(printed)) == shown(reply_of_readme())


def listed(*values):
    return "; ".join(f"{value:.3f}" for value in values)


def spread(values):
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}"


def gain(every, before):
    found = paired(every, before)
    assert found.p < 0.001
    return "{:.3f} ({:.3f} to {:.3f})".format(found.difference, *found.ci95)


def test_the_figures_are_the_manifests():
    readme = (ROOT / "README.md").read_text()
    folder = ROOT / "models" / "undertone-ravdess-2"
    manifest = read_manifest(folder)
    metrics = manifest.metrics["ravdess/emobox-6fold"]
    every = predictions.read(folder / metrics.predictions)
    before = predictions.read(folder.parent / "undertone-ravdess" / metrics.predictions)
    first = every.of_seed(metrics.seeds[0])
    untouched = ("1", "3", "4", "6")
    others = [every.of_seed(seed).of_folds(untouched) for seed in every.seeds]
    clean = others[0]
    low, high = bootstrap_uar(clean.truth, clean.probabilities.argmax(axis=1), clean.speaker, 8)
    report = json.loads((folder / robustness.FOLDER / robustness.REPORT).read_text())
    uar = {loss["condition"]: loss["uar"] for loss in report["losses"]}
    table = readme.partition("(chance 0.125) | |\n|---|---|\n")[2].partition("\n\n")[0]
    assert [row.split(" | ")[1].removesuffix(" |") for row in table.splitlines()] == [
        f"**{metrics.uar:.3f}**",
        f"{spread(metrics.uar_per_seed)}; {metrics.fold_uar_sd:.3f}",
        "{:.3f} to {:.3f}".format(*metrics.uar_ci95),
        f"{spread([uar_of(each) for each in others])}; {low:.3f} to {high:.3f}",
        listed(manifest.metrics["ravdess/actors-5fold"].uar),
        f"{gain(every, before)}; {gain(*(each.of_folds(untouched) for each in (every, before)))}; "
        "below 0.001 in both",
        f"{metrics.accuracy:.3f}, {metrics.macro_f1:.3f}",
        listed(abstain.risk_coverage(first.truth, first.probabilities).at(abstain.COVERAGE)),
        f"{metrics.ece:.3f}; {spread([ece(each.truth, each.probabilities) for each in others])}",
        listed(
            uar["telephone, 8 kHz mu-law"],
            uar["white noise, 20 dB"],
            uar["room, RT60 0.4 s"],
            uar["10 % of peaks clipped"],
        ),
        listed(*(uar[f"babble, {level} dB"] for level in (20, 10, 5))),
        listed(manifest.metrics["tess/all"].uar),
    ]
    known = reports(folder.parent)["ravdess-known-3-blstm"].accuracy
    assert f"an accuracy of {manifest.metrics['ravdess/random'].accuracy:.3f};" in readme
    assert f"of no use to anybody else: {known:.3f} with one seed" in readme


def test_scores_near_seventy_are_right_as_often_as_the_document_says():
    every = predictions.read(
        ROOT / "models" / "undertone-ravdess-2" / "crossval" / "predictions.csv"
    )
    scores, right = every.probabilities.max(axis=1), every.probabilities.argmax(axis=1)
    near = (scores >= 0.65) & (scores < 0.75)
    shares = [(right == every.truth)[near & (every.seed == seed)].mean() for seed in every.seeds]
    told = "{:.1%}, {:.1%} and {:.1%}".format(*shares).replace("%", " %")
    assert told in (ROOT / "docs" / "models.md").read_text()


def test_no_block_is_forgotten():
    """What is shown in a language that none of the tests above runs is a reply, or a header."""
    languages = {block.language for document in (*RUN, *PARSED) for block in blocks(document)}
    assert languages <= {"sh", "python", "js", "json", "http"}
    everything = [block.text.strip() for document in RUN for block in blocks(document)]
    assert set(ELSEWHERE) <= set(everything)
