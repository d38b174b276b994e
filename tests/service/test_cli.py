import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.support.bundles import build_bundle
from tests.support.rights import shut
from undertone import __version__ as version
from undertone.bundle import (
    MANIFEST,
    Bundle,
    Golden,
    digest,
    read_golden,
    read_manifest,
    seal,
    write_golden,
)


def test_an_unknown_model_is_said_in_one_line(undertone):
    result = undertone("predict", "--model", "hal-9000", "clip.wav")
    assert result.exit_code == 1
    assert (
        result.stderr == "undertone: There is no model 'hal-9000'; known are undertone-ravdess-2.\n"
    )


def test_models_are_listed(undertone, client):
    result = undertone("models")
    assert result.exit_code == 0
    assert "undertone-ravdess-2 (default)" in result.stdout
    assert "surprised" in result.stdout
    assert undertone("models", "--url", client.base_url).stdout == result.stdout


@pytest.mark.parametrize("columns", ["80", "40"])
def test_names_of_models_are_never_cut(undertone, bundle, tmp_path, monkeypatch, columns):
    names = [f"undertone-ravdess-of-a-long-name-{number}" for number in (1, 2)]
    for name in names:
        shutil.copytree(bundle, tmp_path / name)
        seal(tmp_path / name, read_manifest(bundle).model_copy(update={"name": name}))
    monkeypatch.setenv("COLUMNS", columns)
    shown = undertone("models", "--models", tmp_path).stdout
    assert "…" not in shown
    for name in names:
        assert f" {name} " in shown


def test_a_model_that_is_broken_hides_no_other(undertone, bundle, tmp_path):
    shutil.copytree(bundle, tmp_path / "whole")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / MANIFEST).write_text("{")
    result = undertone("models", "--models", tmp_path)
    assert result.exit_code == 0
    assert "undertone-ravdess-2 (default)" in result.stdout
    assert result.stderr.startswith("undertone: broken is unavailable: ")
    assert "manifest.json is not JSON" in result.stderr
    shutil.rmtree(tmp_path / "whole")
    result = undertone("models", "--models", tmp_path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "broken is unavailable" in result.stderr


def test_a_host_that_is_no_name_is_said_in_one_line(undertone, monkeypatch):
    monkeypatch.setenv("UNDERTONE_HOST", "a..b")
    result = undertone("serve")
    assert result.exit_code == 1
    assert result.stderr.startswith("undertone: cannot listen on a..b:8000: ")
    assert result.stderr.count("\n") == 1


def test_the_version_is_told(undertone):
    assert undertone("--version").stdout == f"undertone {version}\n"


@pytest.mark.slow
def test_what_is_served_by_several_and_what_is_set_in_vain_is_said_at_the_start(bundle, tmp_path):
    for name in ("one", "two"):
        build_bundle(tmp_path / name, name)
    with subprocess.Popen(
        [*UNDERTONE, "serve", "--port", "0", "--models", tmp_path],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "UNDERTONE_WORKERS": "2", "UNDERTONE_MAX_REQUEST": "1"},
    ) as process:
        started, warned = (json.loads(next(process.stdout)) for _ in range(2))
        process.terminate()
        process.communicate(timeout=60)
    assert started["models"] == ["one", "two"]
    assert (warned["level"], warned["setting"]) == ("warning", "UNDERTONE_MAX_REQUEST")
    assert warned["meant"] == "UNDERTONE_MAX_REQUESTS"


@pytest.mark.parametrize("command", [(), ("serve",), ("predict",), ("models",), ("verify",)])
def test_help_is_given(undertone, command):
    result = undertone(*command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


def test_wrong_settings_are_said_in_words(undertone, monkeypatch):
    monkeypatch.setenv("UNDERTONE_MAX_REQUESTS", "none")
    result = undertone("serve")
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "undertone: UNDERTONE_MAX_REQUESTS=none: Input should be a valid"
    )
    assert result.stderr.count("\n") == 1


def test_a_port_in_use_is_said_in_one_line(undertone):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = undertone("serve", "--port", port)
    assert result.exit_code == 1
    assert (
        result.stderr == f"undertone: cannot listen on 127.0.0.1:{port}: Address already in use\n"
    )


@pytest.mark.parametrize(
    "command", [("serve", "--port", "0"), ("predict", "clip.wav"), ("models",), ("verify",)]
)
@pytest.mark.parametrize("name", ["models", "models/a"])
def test_a_model_that_may_not_be_read_is_said_to_be_one(
    undertone, bundle, tmp_path, monkeypatch, command, name
):
    shutil.copytree(bundle, tmp_path / "models" / "a")
    monkeypatch.setenv("UNDERTONE_MODELS", str(tmp_path / "models"))
    shut(monkeypatch, tmp_path / name)
    result = undertone(*command)
    assert result.exit_code == 1
    assert result.stderr.startswith("undertone: ")
    assert "cannot be read: Permission denied" in result.output
    assert result.stderr.count("\n") == 1


def test_a_whole_model_is_verified_by_name_and_by_folder(undertone, bundle):
    for given in ((), ("undertone-ravdess-2",), (bundle,)):
        result = undertone("verify", *given)
        assert result.exit_code == 0, result.output
        assert result.stdout.count("ok  ") == 3
        assert f"digest {read_manifest(bundle).digest}" in result.stdout
        assert result.stderr == ""


def test_a_spoiled_model_does_not_pass(undertone, bundle, tmp_path):
    shutil.copytree(bundle, tmp_path / "spoiled")
    flip_a_byte(tmp_path / "spoiled")
    result = undertone("verify", tmp_path / "spoiled")
    assert result.exit_code == 1
    assert result.stdout.startswith("BAD files: ")
    assert "is not the file that was exported" in result.stdout
    assert "digest" not in result.stdout
    assert result.stderr == f"undertone: {tmp_path / 'spoiled'} must not be used\n"


def test_the_default_model_can_be_pinned(undertone, bundle, monkeypatch):
    monkeypatch.setenv("UNDERTONE_DEFAULT_MODEL_DIGEST", "0" * 64)
    result = undertone("serve", "--port", "0")
    assert result.exit_code == 1
    assert f"its digest is {read_manifest(bundle).digest}" in result.stderr
    assert f"pins {'0' * 64}" in result.stderr
    assert result.stderr.count("\n") == 1


def flip_a_byte(path: Path) -> None:
    file = path / "saved_model" / "variables" / "variables.data-00000-of-00001"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def remove_a_file(path: Path) -> None:
    (path / "saved_model" / "fingerprint.pb").unlink()


def use_another_spec_version(path: Path) -> None:
    body = json.loads((path / MANIFEST).read_text())
    body["spec"]["version"] = 2
    body["digest"] = digest(body)
    (path / MANIFEST).write_text(json.dumps(body))


def change_the_golden_sample(path: Path) -> None:
    manifest = read_manifest(path)
    golden = read_golden(Bundle(path, manifest))
    turned = np.roll(golden.probabilities, 1, axis=1)
    write_golden(path, Golden(golden.samples, golden.features, turned))
    seal(path, manifest)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (flip_a_byte, "is not the file that was exported"),
        (remove_a_file, "fingerprint.pb is missing"),
        (use_another_spec_version, "feature spec is of version 2"),
        (change_the_golden_sample, "probabilities of the golden sample differ"),
    ],
)
@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("predict", "clip.wav")])
def test_a_spoiled_bundle_is_refused_in_one_line(undertone, bundle, tmp_path, spoil, said, command):
    shutil.copytree(bundle, tmp_path / "spoiled")
    spoil(tmp_path / "spoiled")
    result = undertone(*command, "--models", tmp_path)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("undertone: ")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_process_with_a_spoiled_bundle_ends_before_it_serves(bundle, tmp_path):
    shutil.copytree(bundle, tmp_path / "spoiled")
    flip_a_byte(tmp_path / "spoiled")
    done = subprocess.run(
        [*UNDERTONE, "serve", "--port", "0", "--models", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "is not the file that was exported" in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.slow
def test_workers_end_with_their_supervisor(bundle, hello):
    """Killed, it cannot tell them; what they write ends when they do."""
    with subprocess.Popen(
        [*UNDERTONE, "serve", "--port", "0", "--models", bundle.parent],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "UNDERTONE_WORKERS": "2"},
        start_new_session=True,
    ) as process:
        lines = map(json.loads, process.stdout)
        port = next(lines)["port"]
        started = (line for line in lines if line["message"] == "Application startup complete.")
        assert next(started)
        assert next(started)
        process.kill()
        try:
            said, _ = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert said.count("supervisor died") == 2
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/healthz")


UNDERTONE = (sys.executable, "-c", "from service.cli import app; app()")


@pytest.mark.slow
def test_a_process_serves_until_it_is_told_to_end(bundle, hello):
    with subprocess.Popen(
        [*UNDERTONE, "serve", "--port", "0", "--models", bundle.parent],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        lines = map(json.loads, process.stdout)
        starting = next(lines)
        assert starting["models"] == ["undertone-ravdess-2"]
        assert any(line["message"] == "Application startup complete." for line in lines)
        url = f"http://127.0.0.1:{starting['port']}"
        assert httpx.get(f"{url}/readyz").status_code == 200
        assert starting["page"] == f"{url}/"
        assert httpx.get(starting["page"]).status_code == 200
        files = {"file": ("my-secret.wav", hello.read_bytes())}
        assert httpx.post(f"{url}/predict", files=files, timeout=60).status_code == 200
        process.send_signal(signal.SIGTERM)
        rest = list(lines)
        assert process.wait(30) in (0, -signal.SIGTERM)
    (answered,) = [line for line in rest if line.get("route") == "/predict"]
    assert answered["status"] == 200
    assert "my-secret" not in str(rest)
