"""`POST /predict` without parameters takes a shorter way; nobody may tell from the answer."""

import httpx
import numpy as np
import pytest

from service.app import create_app
from service.models import Models
from service.settings import Settings
from service.shortcut import Shortcut
from tests.support.servers import running
from tests.support.sounds import hum_wav
from undertone import wav

WAV = {"Content-Type": "audio/wav"}
THE_LONG_WAY = {"channels": "mix"}
VARIES = {"timing_ms", "request_id"}


def form(data: bytes, field: str = "file") -> dict:
    return {"files": {field: ("clip.wav", data)}}


UPLOADS = {
    "a form": form(hum_wav()),
    "the file itself": {"content": hum_wav(), "headers": WAV},
    "no sound": form(b"RIFF"),
    "another field": form(hum_wav(), "clip"),
    "nothing": {"content": b"", "headers": WAV},
    "JSON": {"json": {}},
    "silence": {"content": wav.encode(np.zeros(16_000, np.float32), 16_000), "headers": WAV},
}


@pytest.mark.parametrize("upload", UPLOADS.values(), ids=UPLOADS)
def test_both_ways_give_the_same_answer(client: httpx.Client, upload):
    short, long = (client.post("/predict", params=query, **upload) for query in ({}, THE_LONG_WAY))
    assert short.status_code == long.status_code
    assert set(short.headers) == set(long.headers)
    assert short.headers["content-type"] == long.headers["content-type"]
    assert short.headers["x-request-id"] == short.json()["request_id"]
    first, second = (
        {k: v for k, v in each.json().items() if k not in VARIES} for each in (short, long)
    )
    assert first == second


def test_both_ways_are_counted_as_the_same_route(models: Models):
    with (
        running(create_app(Settings(), models)) as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        for query in ({}, THE_LONG_WAY):
            assert client.post("/predict", params=query, **UPLOADS["a form"]).status_code == 200
        assert (
            'undertone_requests_total{route="/predict",status="200"} 2.0'
            in client.get("/metrics").text
        )


def test_a_fault_of_the_service_is_a_problem_by_the_shorter_way_too(models: Models, monkeypatch):
    def fail(*_: object) -> None:
        raise ArithmeticError("secret")

    monkeypatch.setattr("service.preparation.decode", fail)
    with running(create_app(Settings(), models)) as url:
        answer = httpx.post(f"{url}/predict", content=hum_wav(), headers=WAV, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text


def test_another_method_goes_the_long_way(client: httpx.Client):
    assert client.get("/predict").json()["code"] == "method_not_allowed"


def test_it_is_taken(models: Models, monkeypatch):
    taken = []
    original = Shortcut.__call__

    async def noted(self, scope, receive, send):
        await original(self, scope, receive, send)
        if scope.get("path") == "/predict":
            taken.append(scope.get("endpoint"))

    monkeypatch.setattr(Shortcut, "__call__", noted)
    with running(create_app(Settings(), models)) as url:
        for query in ({}, THE_LONG_WAY):
            httpx.post(f"{url}/predict", params=query, timeout=30, **UPLOADS["the file itself"])
    short, long = taken
    assert short is None, "no route of FastAPI was asked"
    assert long is not None
