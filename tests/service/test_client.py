"""`undertone.client` against a real server, and against one that says what a test tells it to."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

import undertone
from service.app import create_app
from service.models import Models
from service.problems import KINDS
from service.settings import Settings
from tests.support.servers import running
from tests.support.sounds import hum, hum_wav
from undertone import errors
from undertone.client import (
    AsyncClient,
    Client,
    ServiceProblem,
    ServiceUnavailable,
    Unreachable,
)
from undertone.client.errors import error_of


@pytest.fixture(scope="module")
def url(models: Models) -> Iterator[str]:
    with running(create_app(Settings(), models)) as url:
        yield url


@contextmanager
def answering(*answers: Callable[[], Response]) -> Iterator[tuple[str, list[Request]]]:
    """A server that gives these answers in turn, and what it was asked."""
    asked: list[Request] = []
    app = FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    async def answer(request: Request) -> Response:
        asked.append(request)
        return answers[min(len(asked), len(answers)) - 1]()

    with running(app) as url:
        yield url, asked


def overloaded(retry_after: str | None) -> Callable[[], Response]:
    body = {"code": "overloaded", "status": 503, "detail": "32 requests are under way."}
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return lambda: JSONResponse(body, 503, headers, "application/problem+json")


def no_models() -> Response:
    return JSONResponse({"default": "x", "models": []})


def test_the_client_and_the_library_say_the_same(url, bundle, hello: Path):
    expected = undertone.load(bundle).predict(hello)
    with Client(url) as client:
        said = client.predict(hello)
    assert (said.label, said.sentiment[0], said.model) == (
        expected.label,
        expected.sentiment[0],
        expected.model,
    )
    assert [each.label for each in said.probabilities] == [
        each.label for each in expected.probabilities
    ]
    assert said.score == pytest.approx(expected.score, abs=1e-6)
    assert said.audio.sample_rate == expected.audio.sample_rate == 22_050
    assert said.audio.encoding == expected.audio.encoding
    assert said.warnings == expected.warnings
    assert said.timing_ms.total > 0
    assert said.request_id


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_a_path_bytes_and_samples_get_one_answer(url, tmp_path, dtype):
    path = tmp_path / "clip.wav"
    path.write_bytes(hum_wav())
    samples = hum() if dtype.startswith("float") else np.rint(hum() * 2**15)
    with Client(url) as client:
        of_path = client.predict(str(path))
        assert client.predict(path.read_bytes()).probabilities == of_path.probabilities
        of_samples = client.predict(samples.astype(dtype), sr=16_000)
    assert of_samples.label == of_path.label
    assert of_samples.score == pytest.approx(of_path.score, abs=1e-4)


def test_a_flac_file_is_decoded_before_it_is_sent(url, bundle, tmp_path):
    path = tmp_path / "clip.flac"
    soundfile.write(path, hum(), 16_000)
    with Client(url) as client:
        said = client.predict(path)
    expected = undertone.load(bundle).predict(path)
    assert said.score == pytest.approx(expected.score, abs=1e-6)


def test_samples_need_their_rate_and_files_have_one(url):
    with Client(url) as client:
        with pytest.raises(TypeError, match="samples need their rate"):
            client.predict(hum())
        with pytest.raises(TypeError, match="a file states its own rate"):
            client.predict(hum_wav(), sr=16_000)


def test_top_k_and_model_reach_the_service(url):
    with Client(url) as client:
        assert len(client.predict(hum_wav(), top_k=2, model="undertone-ravdess").probabilities) == 2


def test_models_are_listed(url):
    with Client(url) as client:
        models = client.models()
    assert models.default == "undertone-ravdess"
    model = models.by_name["undertone-ravdess"]
    assert model.default
    assert model.sample_rate == 16_000
    assert len(model.emotions) == 8
    assert model.facts["limits"]["max_channels"] == 8


def test_what_the_library_refuses_is_raised_as_the_library_raises_it(url):
    with Client(url) as client:
        with pytest.raises(errors.NoSpeech, match="silent") as silent:
            client.predict(np.zeros(16_000), sr=16_000)
        with pytest.raises(errors.MalformedAudio):
            client.predict(b"RIFF")
        with pytest.raises(errors.ModelNotFound) as unknown:
            client.predict(hum_wav(), model="hal-9000")
    assert silent.value.__notes__[0].startswith("request_id: ")
    assert unknown.value.received == {"model": "hal-9000"}
    assert unknown.value.allowed == {"model": ["undertone-ravdess"]}


def test_other_problems_keep_their_code(url):
    with Client(url) as client, pytest.raises(ServiceProblem, match="top_k is 99") as refused:
        client.predict(hum_wav(), top_k=99)
    assert (refused.value.code, refused.value.status) == ("invalid_request", 422)


@pytest.mark.parametrize("code", KINDS)
def test_every_problem_of_the_service_becomes_an_error_with_its_code(code):
    kind = KINDS[code]
    error = error_of({"code": code, "status": kind.status, "detail": kind.example})
    assert (error.code, error.detail) == (code, kind.example)
    in_library = code in {each.code for each in vars(errors).values() if hasattr(each, "code")}
    assert isinstance(error, ServiceProblem) != in_library
    assert isinstance(error, ServiceUnavailable) == (kind.status in {429, 503} and not in_library)


def test_a_service_without_room_is_asked_again():
    with answering(overloaded("0"), overloaded("0"), no_models) as (url, asked):
        with Client(url) as client:
            assert client.models().default == "x"
        assert len(asked) == 3


def test_it_is_not_asked_for_ever():
    with answering(overloaded("0")) as (url, asked):
        with Client(url, retries=2) as client, pytest.raises(ServiceUnavailable) as refused:
            client.models()
        assert refused.value.code == "overloaded"
        assert len(asked) == 3


def test_a_pause_that_is_too_long_is_not_waited_for():
    with answering(overloaded("3600")) as (url, asked):
        with Client(url) as client, pytest.raises(ServiceUnavailable):
            client.models()
        assert len(asked) == 1


def test_the_key_is_sent_and_never_shown():
    with answering(no_models) as (url, asked), Client(url, key="not-a-real-key") as client:
        client.models()
        assert asked[0].headers["Authorization"] == "Bearer not-a-real-key"
        assert "not-a-real-key" not in repr(vars(client))


@pytest.mark.parametrize("status", [200, 502])
def test_what_is_no_undertone_is_said_to_be_none(status):
    with answering(lambda: PlainTextResponse("hello", status)) as (url, _):
        client = Client(url)
        with client, pytest.raises(Unreachable, match="not as Undertone does"):
            client.models()


def test_nobody_there():
    with Client("http://127.0.0.1:9") as client, pytest.raises(Unreachable, match="running"):
        client.models()


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://localhost", "", "http://"])
def test_a_wrong_address_is_refused_at_once(url):
    with pytest.raises(ValueError, match="is no address"):
        Client(url)


def test_the_asynchronous_client_does_the_same(url, hello: Path):
    async def ask():
        async with AsyncClient(url) as client:
            models = await client.models()
            both = await asyncio.gather(client.predict(hello), client.predict(hum(), sr=16_000))
            with pytest.raises(errors.NoSpeech):
                await client.predict(np.zeros(16_000), sr=16_000)
            return models, both

    models, (first, second) = asyncio.run(ask())
    with Client(url) as client:
        assert client.models() == models
        assert client.predict(hello).probabilities == first.probabilities
        assert client.predict(hum(), sr=16_000).probabilities == second.probabilities


def test_the_asynchronous_client_asks_again():
    async def ask(url):
        async with AsyncClient(url) as client:
            return await client.models()

    with answering(overloaded("0"), no_models) as (url, asked):
        assert asyncio.run(ask(url)).default == "x"
        assert len(asked) == 2


def test_it_is_light():
    code = "import undertone.client, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & {"tensorflow", "librosa", "scipy", "fastapi", "service", "training"}
