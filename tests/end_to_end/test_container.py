"""The container without a container engine: its files say what they must, and its check works.

`compose-spec.json` is the Compose Specification's schema (github.com/compose-spec/compose-spec,
schema/compose-spec.json, Apache-2.0), unchanged, as the package check-jsonschema 0.39.0 ships it.
docs/container.md tells how the image itself was built and tried.
"""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


@pytest.fixture
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return document


@pytest.fixture
def service(compose: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = compose["services"]["undertone"]
    return described


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    published = json.loads((HERE / "compose-spec.json").read_text("utf-8"))
    Draft202012Validator.check_schema(published)
    return Draft202012Validator(published)


def test_compose_file_is_valid(schema: Draft202012Validator, compose: dict[str, Any]) -> None:
    assert [error.message for error in schema.iter_errors(compose)] == []


@pytest.mark.parametrize(
    ("key", "value"),
    [("healthchek", {}), ("cap_drop", "ALL"), ("read_only", [True]), ("pids_limit", {})],
)
def test_schema_refuses_what_compose_would(
    schema: Draft202012Validator,
    compose: dict[str, Any],
    service: dict[str, Any],
    key: str,
    value: object,
) -> None:
    service[key] = value
    assert list(schema.iter_errors(compose))


def test_compose_serves_on_port_8000(service: dict[str, Any]) -> None:
    assert service["build"] == "."
    assert service["ports"] == ["8000:8000"]


def test_compose_takes_every_privilege_away(service: dict[str, Any]) -> None:
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert [mount.partition(":")[0] for mount in service["tmpfs"]] == ["/tmp"]
    assert not service.keys() & {"cap_add", "privileged", "user", "pid", "network_mode", "devices"}


def test_compose_limits_memory_and_processes(service: dict[str, Any]) -> None:
    assert service["mem_limit"] == "4g"
    assert service["pids_limit"] == 512


def test_image_runs_as_a_user_who_is_not_root() -> None:
    last_stage = DOCKERFILE.rpartition("\nFROM ")[2]
    assert "\nUSER 10001:10001\n" in last_stage


def test_image_holds_nothing_that_builds_or_installs() -> None:
    """What the last stage adds to its base, which has no compiler, is an environment without pip."""
    last_stage = DOCKERFILE.rpartition("\nFROM ")[2]
    assert last_stage.startswith("python:3.11-slim-bookworm\n")
    assert "pip uninstall --yes pip setuptools wheel" in last_stage
    assert "rm -rf /usr/local/lib/python3.11/ensurepip" in last_stage
    assert not re.findall(r"apt-get|apk |curl|wget|pip install|uv ", last_stage)
    copied = re.findall(r"^COPY (.+)$", last_stage, re.MULTILINE)
    assert copied == ["--from=build /opt/venv /opt/venv", "models /models"]
    assert "--seed" not in DOCKERFILE, "`uv venv` puts pip into an environment only when told to"
    lock = (ROOT / "requirements" / "service.txt").read_text("utf-8")
    locked = set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))
    assert len(locked) > 50
    assert not locked & {"pip", "uv", "cython", "cmake", "ninja", "hatchling", "ziglang"}


def test_image_and_compose_name_the_same_health_command(service: dict[str, Any]) -> None:
    assert f"CMD {json.dumps(service['healthcheck']['test'][1:])}\n" in DOCKERFILE


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server on a free port that answers ``status`` on /readyz, and 404 elsewhere."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@contextmanager
def nobody_listening() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        port = server.server_port
    yield port


@pytest.mark.parametrize(
    ("readiness", "exit_status", "said"),
    [
        (lambda: answering(200), 0, "answers 200"),
        (lambda: answering(503), 1, "answers 503"),
        (nobody_listening, 1, "does not answer"),
    ],
    ids=["ready", "not ready", "nobody there"],
)
def test_the_health_command_that_compose_names(
    service: dict[str, Any],
    readiness: Callable[[], AbstractContextManager[int]],
    exit_status: int,
    said: str,
) -> None:
    how, program, *arguments = service["healthcheck"]["test"]
    assert (how, program) == ("CMD", "python")
    with readiness() as port:
        elsewhere = {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
        finished = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=os.environ | elsewhere | {"UNDERTONE_PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert finished.returncode == exit_status, finished.stdout + finished.stderr
    assert said in finished.stdout
    assert finished.stderr == ""
