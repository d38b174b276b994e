import asyncio
import hmac
import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError
from starlette.responses import PlainTextResponse
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from service.app import create_app
from service.keys import Keys
from service.logs import JsonFormatter
from service.models import Models
from service.rates import Rates
from service.settings import Settings, explain
from tests.support.servers import running
from tests.support.sounds import hum_wav

ALICE = "alices-key-0123456789"
BOB = "bobs-key-of-another-length.~_-"
WAV = {"Content-Type": "audio/wav"}


@pytest.fixture(scope="module")
def keyed(models: Models) -> Iterator[httpx.Client]:
    """A service that wants a key of alice's or of bob's."""
    settings = Settings.model_validate({"api_keys": f"alice:{ALICE}, bob:{BOB}"})
    with running(create_app(settings, models)) as url, httpx.Client(base_url=url) as client:
        yield client


ALMOST = {
    "none": {},
    "empty": {"Authorization": "Bearer"},
    "another": {"Authorization": "Bearer nobodys-key-0123456789"},
    "one character off": {"Authorization": f"Bearer {ALICE[:-1]}8"},
    "one too few": {"Authorization": f"Bearer {ALICE[:-1]}"},
    "one too many": {"Authorization": f"Bearer {ALICE}0"},
    "in capitals": {"Authorization": f"Bearer {ALICE.upper()}"},
    "both at once": {"Authorization": f"Bearer {ALICE}{BOB}"},
    "with its name": {"Authorization": f"Bearer alice:{ALICE}"},
    "the name alone": {"Authorization": "Bearer alice"},
    "of another scheme": {"Authorization": f"Basic {ALICE}"},
    "not of ASCII": {"Authorization": b"Bearer \xe4\xf6\xfc\xff"},
    "in the other header": {"X-API-Key": f"{ALICE}0"},
}


@pytest.mark.parametrize("name", ALMOST)
def test_no_key_or_one_that_is_not_quite_right_is_refused(keyed, name):
    answer = keyed.get("/models", headers=ALMOST[name])
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="undertone"'
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "unauthorized"
    assert (problem["received"], problem["allowed"]) == ({}, {})
    assert problem["detail"] == keyed.get("/models").json()["detail"], (
        "they learn no more than that"
    )


@pytest.mark.parametrize("key", [ALICE, BOB])
@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
def test_every_key_opens_in_either_header(keyed, key, header):
    headers = {header: f"Bearer {key}" if header == "Authorization" else key, **WAV}
    assert keyed.post("/predict", content=hum_wav(), headers=headers).status_code == 200


def test_what_needs_a_key_and_what_does_not(keyed):
    for path in ("/healthz", "/readyz", "/docs", "/redoc", "/openapi.json", "/static/docs.js"):
        assert keyed.get(path).status_code == 200, path
    documented = keyed.get("/openapi.json").json()["paths"]
    for path, methods in documented.items():
        for method, described in methods.items():
            answer = keyed.request(method, path, content=b"")
            if path in ("/", "/healthz", "/readyz"):
                assert answer.status_code == 200
            else:
                assert answer.status_code == 401, path
                assert "401" in described["responses"], path
                assert described["security"], path
    for path in ("/nowhere", "/static", "/docs/", "/healthz/../models"):
        assert keyed.get(path).status_code == 401, path


@pytest.mark.parametrize("shown", [ALICE, BOB, "nobodys-key-0123456789", ""])
def test_each_key_is_compared_in_constant_time_whichever_it_is(monkeypatch, shown):
    compared = []
    real = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    app = Keys(PlainTextResponse("in"), {"alice": ALICE, "bob": BOB, "carol": "c" * 16})
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/models",
        "headers": [(b"x-api-key", shown.encode())],
        "state": {"request_id": "id"},
    }
    messages: list[dict] = []

    async def send(message):
        messages.append(message)

    asyncio.run(app(scope, None, send))
    assert messages[0]["status"] == (200 if shown in (ALICE, BOB) else 401)
    assert compared == [(32, 32)] * 3, "always all of them, and of one length"


def test_keys_are_never_logged_but_who_asked_is(models, caplog):
    caplog.set_level(logging.DEBUG, "undertone")
    settings = Settings.model_validate({"api_keys": f"alice:{ALICE}, bob:{BOB}"})
    with running(create_app(settings, models)) as url, httpx.Client(base_url=url) as client:
        client.get("/models", headers={"X-API-Key": ALICE})
        client.get("/models", headers={"X-API-Key": BOB + "x"})
        client.post(f"/predict?key={BOB}", headers={"Authorization": f"Bearer {BOB}"})
    lines = [JsonFormatter().format(record) for record in caplog.records]
    assert not [line for line in lines if ALICE in line or BOB in line or "-key" in line]
    answered = [json.loads(line) for line in lines if '"answered"' in line]
    assert [each.get("client") for each in answered] == ["alice", None, "bob"]


def stream(app: Keys, *subprotocols: str, headers: dict[str, str] | None = None) -> list[dict]:
    """What is sent to a client that opens a WebSocket."""
    scope = {
        "type": "websocket",
        "path": "/stream",
        "headers": [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()],
        "subprotocols": list(subprotocols),
        "state": {"request_id": "id"},
    }
    messages: list[dict] = []

    async def send(message):
        messages.append(message)

    async def receive():
        return {"type": "websocket.connect"}

    asyncio.run(app(scope, receive, send))
    return messages


async def accepting(scope, receive, send):
    await send({"type": "websocket.accept"})


@pytest.mark.parametrize(
    "shown",
    [
        {"subprotocols": ["undertone", f"undertone.key.{BOB}"]},
        {"subprotocols": [], "headers": {"Authorization": f"Bearer {BOB}"}},
    ],
)
def test_streams_are_opened_with_a_header_or_a_subprotocol(shown):
    app = Keys(accepting, {"alice": ALICE, "bob": BOB})
    headers = shown.get("headers")
    assert stream(app, *shown["subprotocols"], headers=headers) == [{"type": "websocket.accept"}]


@pytest.mark.parametrize("offered", [[], ["undertone", "undertone.key.nobody"], ["undertone"]])
def test_streams_without_a_key_are_closed_with_their_reason(offered):
    accept, problem, close = stream(Keys(accepting, {"alice": ALICE}), *offered)
    assert accept == {"type": "websocket.accept"}
    said = json.loads(problem["text"])
    assert (said["type"], said["code"], said["status"]) == ("problem", "unauthorized", 401)
    assert close == {"type": "websocket.close", "code": 4401}


def test_streams_too_often_are_closed_with_their_reason():
    app = Keys(accepting, {"bob": BOB}, Rates(1))
    headers = {"X-API-Key": BOB}
    assert len(stream(app, headers=headers)) == 1
    assert stream(app, headers=headers)[-1] == {"type": "websocket.close", "code": 4429}


def test_a_browser_opens_a_stream_with_a_key_beside_the_protocol(keyed):
    address = str(keyed.base_url.copy_with(scheme="ws", path="/stream"))
    with connect(address, subprotocols=["undertone", f"undertone.key.{ALICE}"]) as browser:
        assert browser.subprotocol == "undertone"
        assert json.loads(browser.recv())["type"] == "ready"
    with connect(address, subprotocols=["undertone", "undertone.key.wrong"]) as browser:
        assert browser.subprotocol == "undertone"
        assert json.loads(browser.recv())["code"] == "unauthorized"
        with pytest.raises(ConnectionClosed):
            browser.recv()
        assert browser.close_code == 4401


def test_each_key_has_its_own_rate(models: Models):
    settings = Settings.model_validate(
        {"api_keys": f"alice:{ALICE},bob:{BOB}", "rate_per_minute": 2}
    )
    with running(create_app(settings, models)) as url, httpx.Client(base_url=url) as client:

        def post(key: str) -> httpx.Response:
            return client.post("/predict", content=hum_wav(), headers={"X-API-Key": key, **WAV})

        began = time.monotonic()
        first, second, third = (post(ALICE) for _ in range(3))
        took = time.monotonic() - began
        assert [each.status_code for each in (first, second, third)] == [200, 200, 429]
        assert first.headers["ratelimit-policy"] == '"key";q=2;w=60'
        assert first.headers["ratelimit"].startswith('"key";r=1;')
        assert third.json()["code"] == "rate_limited"
        assert third.json()["allowed"] == {"per_minute": 2}
        assert 29 - took <= int(third.headers["retry-after"]) <= 30
        assert client.get("/models", headers={"X-API-Key": ALICE}).status_code == 200
        assert post(BOB).status_code == 200


def test_a_bucket_fills_all_the_time():
    now = 0.0
    rates = Rates(60, clock=lambda: now)
    assert [rates.take("alice").granted for _ in range(61)] == [True] * 60 + [False]
    now = 0.5
    assert (rates.take("alice").granted, rates.take("alice").wait_s) == (False, 1)
    now = 1.0
    assert rates.take("alice").granted
    assert not rates.take("alice").granted
    now = 3600.0
    assert rates.take("alice").remaining == 59, "it never holds more than a minute's worth"


def test_keys_can_stand_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "keys"
    file.write_text(f"# those who may ask\nalice:{ALICE}\n\nbob:{BOB}  # until May\n")
    monkeypatch.setenv("UNDERTONE_API_KEYS_FILE", str(file))
    monkeypatch.setenv("UNDERTONE_API_KEYS", "carol:" + 16 * "c")
    assert Settings().keys == {"alice": ALICE, "bob": BOB, "carol": 16 * "c"}
    monkeypatch.setenv("UNDERTONE_API_KEYS", f"bob:{ALICE}")
    with pytest.raises(ValidationError, match=r"two keys named bob|have the same key"):
        Settings()


def test_a_file_of_keys_may_be_a_pipe(monkeypatch: pytest.MonkeyPatch):
    read, written = os.pipe()
    os.write(written, f"alice:{ALICE}".encode())
    os.close(written)
    monkeypatch.setenv("UNDERTONE_API_KEYS_FILE", f"/dev/fd/{read}")
    settings = Settings()
    os.close(read)
    assert settings.keys == {"alice": ALICE}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hunter2hunter2hunter2", "entry 1 is not name:key"),
        (f"alice:{ALICE} bob:hunter2", "entry 2 is not name:key"),
        ("alice:hunter2hunter2/hunter2", "entry 1 is not name:key"),
        (f"alice:{ALICE},alice:{BOB}", "two keys named alice"),
        (f"alice:{ALICE},bob:{BOB},carol:{ALICE}", "alice and carol have the same key"),
        (" # nothing but a remark", "there is no key"),
    ],
)
@pytest.mark.parametrize("in_file", [True, False])
def test_what_is_no_key_is_refused_without_repeating_it(monkeypatch, tmp_path, text, said, in_file):
    file = tmp_path / "keys"
    file.write_text(text)
    variable = "UNDERTONE_API_KEYS_FILE" if in_file else "UNDERTONE_API_KEYS"
    monkeypatch.setenv(variable, str(file) if in_file else text)
    with pytest.raises(ValidationError) as caught:
        Settings()
    explained = explain(caught.value)
    assert explained.startswith(f"{variable}=")
    assert said in explained
    for shown in (explained, str(caught.value)):
        assert not [secret for secret in ("hunter2", ALICE, BOB) if secret in shown]


def test_settings_do_not_show_keys():
    settings = Settings.model_validate({"api_keys": f"alice:{ALICE}"})
    assert settings.keys == {"alice": ALICE}
    assert ALICE not in f"{settings!r} {settings.model_dump()} {settings.model_dump_json()}"


def test_a_rate_without_keys_is_refused(monkeypatch):
    monkeypatch.setenv("UNDERTONE_RATE_PER_MINUTE", "60")
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert explain(caught.value).startswith("UNDERTONE_RATE_PER_MINUTE is for each key")
