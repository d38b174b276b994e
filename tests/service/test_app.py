"""What holds for every address: ids, headers, errors, the log; and how the app starts."""

import asyncio
import json
import logging
import os
import subprocess
import sys

import httpx
import pytest
from opentelemetry import trace

from service.app import create_app
from service.logs import JsonFormatter
from service.metrics import Metrics
from service.observe import Observe
from service.settings import Settings
from tests.support.servers import running
from tests.support.sounds import hum_wav
from undertone.errors import BundleError


@pytest.mark.parametrize("theirs", ["abc-123", "A.b_c", "x" * 64])
def test_a_request_id_is_handed_back(client, theirs):
    response = client.get("/healthz", headers={"X-Request-ID": theirs})
    assert response.headers["x-request-id"] == theirs


@pytest.mark.parametrize("theirs", ["", "x" * 65, "two words", "<script>", 'a"b'])
def test_an_unsafe_request_id_is_replaced(client, theirs):
    response = client.get("/nowhere", headers={"X-Request-ID": theirs})
    ours = response.headers["x-request-id"]
    assert len(ours) == 32
    assert response.json()["request_id"] == ours


def test_answers_carry_safe_headers(client):
    headers = client.get("/healthz").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "microphone=(self)" in headers["permissions-policy"]


class Traces(trace.TracerProvider):
    """What an operator's OpenTelemetry would be told."""

    def __init__(self):
        self.asked_by = []

    def get_tracer(self, name, *_, **__):
        self.asked_by.append(name)
        return trace.NoOpTracer()


@pytest.mark.parametrize("variables", [{}, {"OTEL_SERVICE_NAME": "undertone"}])
def test_traces_are_for_operators_who_have_set_them_up(models, monkeypatch, variables):
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    traces = Traces()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: traces)
    with running(create_app(Settings(), models)) as url:
        assert httpx.get(f"{url}/healthz").status_code == 200
    assert bool(traces.asked_by) == bool(variables)


THEIRS = "https://their.example"


def asked_from(url: str, origin: str) -> tuple[httpx.Response, httpx.Response]:
    """What a browser asks before a script of another page may post, and what that then gets."""
    wish = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "X-API-Key"}
    return (
        httpx.options(f"{url}/predict", headers={"Origin": origin, **wish}),
        httpx.get(f"{url}/models", headers={"Origin": origin}),
    )


def test_scripts_of_other_pages_may_not_ask(client):
    for answer in asked_from(str(client.base_url), THEIRS):
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_scripts_of_pages_that_are_named_may_ask_and_are_told_when_they_may_not(models):
    settings = Settings.model_validate(
        {"cors_origins": f"https://other.example, {THEIRS}", "api_keys": "alice:" + 16 * "a"}
    )
    with running(create_app(settings, models)) as url:
        before, refused = asked_from(url, THEIRS)
        assert before.status_code == 200, "this first question never carries a key"
        assert before.headers["access-control-allow-origin"] == THEIRS
        assert "POST" in before.headers["access-control-allow-methods"]
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == THEIRS
        assert "Retry-After" in refused.headers["access-control-expose-headers"]
        for answer in asked_from(url, "https://evil.example"):
            assert "access-control-allow-origin" not in answer.headers


def test_a_fault_in_a_stream_ends_it_with_its_id_alone(caplog):
    sent: list[dict] = []

    async def stream(scope, receive, send):
        await send({"type": "websocket.accept"})
        raise ArithmeticError("the secret formula")

    async def send(message):
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/stream",
        "headers": [],
        "subprotocols": ["undertone", "undertone.key.something"],
    }
    asyncio.run(Observe(stream, Metrics())(scope, None, send))
    accept, problem, close = sent
    assert accept["subprotocol"] == "undertone", "a browser would give up without"
    said = json.loads(problem["text"])
    assert (said["type"], said["code"]) == ("problem", "internal_error")
    assert "secret" not in problem["text"]
    assert close == {"type": "websocket.close", "code": 1011}
    (failed,) = [each for each in caplog.records if each.exc_info]
    assert failed.fields["request_id"] == said["request_id"]


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/predict/"), ("GET", "/models/"), ("GET", "/docs/")]
)
def test_a_slash_too_many_is_a_problem_and_no_way_elsewhere(client, method, path):
    reply = client.request(method, path)
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")


def test_addresses_that_are_not_there_are_problems(client):
    response = client.get("/predictions")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "not_found"


def test_methods_that_are_not_taken_are_problems(client):
    response = client.get("/predict")
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert response.json()["code"] == "method_not_allowed"
    assert response.json()["received"] == {"method": "GET"}
    assert response.json()["allowed"] == {"method": ["POST"]}


def test_a_fault_of_ours_is_logged_whole_and_answered_with_its_id_alone(models, caplog):
    app = create_app(Settings(), models)

    @app.get("/fault")
    async def fault():
        raise ArithmeticError("the secret formula")

    with running(app) as url:
        response = httpx.get(f"{url}/fault")
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "internal_error"
    assert "secret" not in response.text
    (record,) = [each for each in caplog.records if each.exc_info]
    line = json.loads(JsonFormatter().format(record))
    assert line["request_id"] == response.json()["request_id"]
    assert "ArithmeticError: the secret formula" in line["exception"]


def test_each_request_is_a_line_in_the_log_without_names_or_sound(models, caplog):
    caplog.set_level(logging.INFO, "undertone")
    with running(create_app(Settings(), models)) as url:
        httpx.post(f"{url}/predict", files={"file": ("my-secret.wav", hum_wav())})
    (record,) = [each for each in caplog.records if each.name == "undertone.access"]
    line = json.loads(JsonFormatter().format(record))
    assert (line["method"], line["route"], line["status"]) == ("POST", "/predict", 200)
    assert set(line) == {
        *("time", "level", "logger", "message"),
        *("request_id", "method", "route", "status", "duration_ms"),
    }


def test_without_models_it_lives_and_is_not_ready():
    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(create_app(Settings()))  # which starts no lifespan
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return [await client.get(path) for path in ("/healthz", "/readyz", "/models")]

    alive, *others = asyncio.run(ask())
    assert alive.status_code == 200
    for response in others:
        assert response.status_code == 503
        assert response.json()["code"] == "not_ready"
        assert response.headers["retry-after"] == "1"


def test_it_loads_its_models_when_it_starts(bundle):
    with running(create_app(Settings(models=bundle))) as url:
        assert httpx.get(f"{url}/readyz").status_code == 200


def test_it_does_not_start_with_a_bad_bundle(tmp_path):
    app = create_app(Settings(models=tmp_path))

    async def start() -> None:
        async with app.router.lifespan_context(app):
            pass

    with pytest.raises(BundleError, match="no model there"):
        asyncio.run(start())


def test_docs_can_be_switched_off(models):
    with running(create_app(Settings(docs=False), models)) as url:
        for path in ("/", "/docs", "/redoc", "/openapi.json", "/static/docs.js"):
            assert httpx.get(url + path).status_code == 404


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_pages_load_nothing_from_elsewhere(client, path):
    page = client.get(path)
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "http" not in page.headers["content-security-policy"]
    assert "//" not in page.text
    for asset in [part.split('"')[0] for part in page.text.split("static/")[1:]]:
        assert client.get(f"/static/{asset}").status_code == 200


def test_importing_the_package_is_cheap():
    code = "import service.cli, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"tensorflow", "librosa", "numpy", "fastapi", "uvicorn", "pydantic"}
    assert not heavy & set(done.stdout.split())
