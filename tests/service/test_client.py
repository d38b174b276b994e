"""`undertone.client` against a real server, and against one that says what a test tells it to."""

import asyncio
import copy
import json
import pickle
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
import websockets
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import Field
from websockets.sync.server import serve

import undertone
from service.app import create_app
from service.messages import ReadyMessage
from service.models import Models
from service.problems import KINDS
from service.settings import Settings
from tests.support.servers import running
from tests.support.sounds import hum, hum_wav
from undertone import errors, wav
from undertone.client import (
    AsyncClient,
    Client,
    LiveSegment,
    Ready,
    ServiceProblem,
    ServiceUnavailable,
    Unreachable,
    calls,
)
from undertone.client.errors import error_of

KEY = "not-a-real-key-0123456789"


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


@pytest.mark.parametrize(
    ("name", "subtype", "encoding"),
    [
        ("clip.flac", "PCM_S8", "pcm_s16"),
        ("clip.flac", "PCM_16", "pcm_s16"),
        ("clip.flac", "PCM_24", "pcm_s24"),
        ("clip.aiff", "PCM_U8", "pcm_s16"),
        ("clip.aiff", "FLOAT", "float32"),
        ("clip.ogg", "VORBIS", "float32"),
    ],
)
def test_a_decoded_file_takes_no_more_bits_than_it_needs(
    url, bundle, tmp_path, name, subtype, encoding
):
    path = tmp_path / name
    soundfile.write(path, hum(), 16_000, subtype=subtype)
    with Client(url) as client:
        said = client.predict(path)
    expected = undertone.load(bundle).predict(path)
    assert said.audio.encoding == encoding
    assert said.score == pytest.approx(expected.score, abs=1e-6)
    decoded, _ = soundfile.read(path, dtype="float32")
    data = calls.wav_of(path)
    assert (wav.samples(data, wav.parse(data))[:, 0] == decoded).all()


def test_how_much_of_a_compressed_file_is_taken_the_service_says(models, tmp_path):
    path = tmp_path / "long.flac"
    soundfile.write(path, np.tile(hum(seconds=10), 62), 16_000)
    for limit, taken in ((300.0, False), (700.0, True)):
        settings = Settings(max_duration_s=limit)
        with running(create_app(settings, models)) as url, Client(url) as client:
            if taken:
                assert client.predict(path).audio.duration_s == 620
                continue
            with pytest.raises(errors.AudioTooLong) as refused:
                client.predict(path)
            assert refused.value.allowed == {"max_duration_s": limit}


def test_samples_need_their_rate_and_files_have_one(url):
    with Client(url) as client:
        with pytest.raises(TypeError, match="samples need their rate"):
            client.predict(hum())
        with pytest.raises(TypeError, match="a file states its own rate"):
            client.predict(hum_wav(), sr=16_000)


def test_top_k_and_model_reach_the_service(url):
    with Client(url) as client:
        assert (
            len(client.predict(hum_wav(), top_k=2, model="undertone-ravdess-2").probabilities) == 2
        )


def test_models_are_listed(url):
    with Client(url) as client:
        models = client.models()
    assert models.default == "undertone-ravdess-2"
    model = models.by_name["undertone-ravdess-2"]
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
    assert unknown.value.allowed == {"model": ["undertone-ravdess-2"]}


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


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
@pytest.mark.parametrize("code", [*KINDS, "unreachable"])
def test_every_error_can_be_copied_and_sent_to_another_process(code, again):
    details = {"received": {"bytes": 2}, "allowed": {"max_bytes": 1}, "request_id": "1"}
    status = KINDS[code].status if code in KINDS else 500
    error = error_of({"code": code, "status": status, "detail": "No.", **details})
    if code == "unreachable":
        error = Unreachable("No.")
    other = again(error)
    assert type(other) is type(error)
    assert str(other) == str(error) == "No."
    assert vars(other) == vars(error)


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


def test_a_key_is_sent_without_the_end_of_its_line():
    with answering(no_models) as (url, asked), Client(url, key=f" {KEY}\r\n") as client:
        client.models()
        assert asked[0].headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("odd", ["\n", "\0", "\x7f", "ö", "\u2028", "\N{ZERO WIDTH SPACE}"])
def test_a_key_that_no_header_carries_is_refused_without_repeating_it(kind, odd):
    with pytest.raises(ValueError, match="the key") as refused:
        kind("http://localhost:8000", key=f"secret{odd}secret")
    assert "secret" not in str(refused.value) + repr(refused.value)


@pytest.mark.parametrize("status", [200, 502])
def test_what_is_no_undertone_is_said_to_be_none(status):
    with answering(lambda: PlainTextResponse("hello", status)) as (url, _):
        client = Client(url)
        with client, pytest.raises(Unreachable, match="not as Undertone does"):
            client.models()


@pytest.mark.parametrize(
    ("settings", "key", "code"),
    [
        ({"max_upload_bytes": 2**20}, None, "audio_too_large"),
        ({"api_keys": f"tests:{KEY}"}, None, "unauthorized"),
        ({"api_keys": f"tests:{KEY}", "rate_per_minute": 1}, KEY, "rate_limited"),
    ],
)
def test_an_upload_that_is_refused_before_it_was_read_is_refused_in_words(
    models, settings, key, code
):
    data = wav.encode(np.zeros(2_000_000, np.float32), 16_000)

    async def ask(url):
        async with AsyncClient(url, key, retries=0) as client:
            await client.predict(data)

    with running(create_app(Settings.model_validate(settings), models)) as url:
        with Client(url, key, retries=0) as client:
            if code == "rate_limited":
                client.predict(hum_wav())
            with pytest.raises(errors.UndertoneError) as refused:
                client.predict(data)
        assert refused.value.code == code
        for _ in range(10):
            with pytest.raises(errors.UndertoneError) as refused:
                asyncio.run(ask(url))
            assert refused.value.code == code


SHAPES = [
    {"ok": True},
    {"probabilities": 1},
    {"results": [{}]},
    {"models": ["x"]},
    [],
    None,
    "hello",
]


@pytest.mark.parametrize("said", SHAPES, ids=str)
@pytest.mark.parametrize("status", [200, 500])
def test_json_of_another_shape_is_no_undertone_either(said, status):
    if status == 500 and isinstance(said, dict):
        said = {**said, "received": 1}

    async def ask(url):
        async with AsyncClient(url) as client:
            await client.predict(b"RIFF")

    with answering(lambda: JSONResponse(said, status)) as (url, _), Client(url) as client:
        for asking in (
            lambda: client.predict(b"RIFF"),
            lambda: client.batch([b"RIFF"]),
            client.models,
            lambda: client.model("x"),
            lambda: asyncio.run(ask(url)),
        ):
            with pytest.raises(Unreachable, match="not as Undertone does"):
                asking()


FIRST_SEGMENT = json.dumps(
    {"type": "segment", "start": 0, "end": 1, "probabilities": None, "reason": "x", "latency_ms": 1}
)


@pytest.mark.parametrize(
    "said", [FIRST_SEGMENT, "hello", "1", "{}", '{"type": "ready"}', b"\0", '{"type": "problem"}']
)
def test_a_stream_of_something_else_is_no_undertone_either(said):
    with serve(lambda socket: socket.send(said), "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        with Client(url) as client, pytest.raises(Unreachable, match="not as Undertone does"):
            list(client.stream([b"\0\0"], 16_000))
        with pytest.raises(Unreachable, match="not as Undertone does"):
            asyncio.run(drained(url, [b"\0\0"]))
        server.shutdown()
        thread.join()


def test_a_connection_that_is_closed_without_an_answer_is_said_to_be():
    async def ask(url):
        async with AsyncClient(url) as client:
            await client.models()

    def hang_up():
        with suppress(OSError):
            while True:
                listening.accept()[0].close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=hang_up)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with Client(url) as client:
            for asking in (client.models, lambda: asyncio.run(ask(url))):
                with pytest.raises(Unreachable, match=r"was reached .* \(.*\w.*\)"):
                    asking()
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_batch_of_nothing_is_not_sent():
    async def ask(url):
        async with AsyncClient(url) as client:
            await client.batch([])

    with answering(no_models) as (url, asked), Client(url) as client:
        with pytest.raises(ValueError, match="nothing to hear"):
            client.batch([])
        with pytest.raises(ValueError, match="nothing to hear"):
            asyncio.run(ask(url))
        assert not asked


def test_nobody_there():
    with Client("http://127.0.0.1:9") as client, pytest.raises(Unreachable, match="running"):
        client.models()


@pytest.mark.parametrize(
    "url",
    [
        *(
            "localhost:8000",
            "ftp://localhost",
            "",
            "http://",
            "http://a..b",
            "http://localhost:99999",
        ),
        "http://" + 64 * "a",
    ],
)
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


def test_segments_are_the_librarys(url, bundle):
    data = hum_wav(seconds=8)
    expected = undertone.load(bundle).predict(data, segments=True)
    with Client(url) as client:
        said = client.predict(data, segments=True)
        assert client.predict(data).segments is None
    assert [(each.start, each.end, each.label) for each in said.segments] == [
        (each.start, each.end, each.label) for each in expected.segments
    ]


def test_channels_are_told_apart(url):
    stereo = np.stack([hum(), np.zeros_like(hum())], axis=1)
    with Client(url) as client:
        said = client.predict(stereo, sr=16_000, split_channels=True, segments=True)
    left, right = said.channels
    assert left.label in {each.label for each in said.probabilities}
    assert left.score == left.probabilities[0].score
    assert left.segments
    assert (right.label, right.score, right.probabilities) == (None, None, None)
    assert right.reason == "no_speech"


def test_a_batch_keeps_its_order_and_its_problems(url, hello: Path):
    with Client(url) as client:
        first, broken, last = client.batch([hello, b"RIFF", hum_wav()])
        assert first.probabilities == client.predict(hello).probabilities
        assert isinstance(broken, errors.MalformedAudio)
        assert last.probabilities == client.predict(hum_wav()).probabilities
        assert client.batch([hum(), hum()], sr=16_000)[1].label == last.label


@contextmanager
def refusing(status: int, problem: dict) -> Iterator[str]:
    """A server at which no WebSocket is opened."""

    def refuse(_, request) -> websockets.Response:
        body = json.dumps(problem).encode()
        headers = websockets.Headers({"Retry-After": "0", "Content-Length": str(len(body))})
        return websockets.Response(status, "", headers, body)

    with serve(lambda _: None, "127.0.0.1", 0, process_request=refuse) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


def cut(samples: np.ndarray, size: int = 777) -> list[np.ndarray]:
    return [samples[start : start + size] for start in range(0, len(samples), size)]


def as_int16(samples: np.ndarray) -> np.ndarray:
    return np.rint(samples * (2**15 - 1)).astype(np.int16)


@pytest.mark.parametrize("kind", ["bytes", "int16", "float"])
def test_a_stream_says_at_the_end_what_predict_says(url, kind):
    samples = as_int16(hum(seconds=7))
    chunks = cut(samples / np.float32(2**15)) if kind == "float" else cut(samples)
    if kind == "bytes":
        chunks = [chunk.astype("<i2").tobytes() for chunk in chunks]
    with Client(url) as client:
        ready, *segments, summary = client.stream(chunks, 16_000)
        expected = client.predict(samples, sr=16_000, segments=True)
    assert isinstance(ready, Ready)
    assert (ready.model, ready.sr, len(ready.emotions)) == ("undertone-ravdess-2", 16_000, 8)
    assert all(isinstance(each, LiveSegment) and each.latency_ms > 0 for each in segments)
    assert [each.end for each in segments] == [each.end for each in expected.segments]
    for said, heard in zip(summary.segments, expected.segments, strict=True):
        assert said.score == pytest.approx(heard.score, abs=1e-3)
    assert summary.score == pytest.approx(expected.score, abs=1e-3)


@pytest.mark.parametrize("dtype", [">i2", "uint8", "int32", "float64"])
def test_a_stream_takes_the_samples_that_predict_takes(url, dtype):
    full = {"uint8": 2**7 - 1, "int32": 2**31 - 1, ">i2": 2**15 - 1, "float64": 1}[dtype]
    samples = (hum() * full + (128 if dtype == "uint8" else 0)).astype(dtype)
    with Client(url) as client:
        *_, summary = client.stream(cut(samples[:, np.newaxis]), 16_000)
        expected = client.predict(samples.astype(samples.dtype.newbyteorder("=")), sr=16_000)
    assert summary.score == pytest.approx(expected.score, abs=1e-3)
    assert summary.warnings == expected.warnings


@pytest.mark.parametrize("scale", [0.001, 32_768])
def test_a_stream_hears_floats_of_any_level_as_predict_does(url, hello, scale):
    samples, sr = soundfile.read(hello, dtype="float32")
    samples *= np.float32(scale)
    with Client(url) as client:
        expected = client.predict(samples, sr=sr)
        *_, summary = client.stream(cut(samples), sr)
    *_, awaited = asyncio.run(drained(url, cut(samples), sr=sr))
    for said in (summary, awaited):
        assert said.label == expected.label
        assert said.score == pytest.approx(expected.score, abs=1e-3)
        assert said.audio == expected.audio
        assert said.warnings == expected.warnings


def test_integers_and_floats_may_follow_each_other_in_a_stream(url):
    samples = as_int16(hum(seconds=4))
    half = len(samples) // 2
    mixed = [samples[:half], samples[half:] / np.float32(2**15), samples[:0].tobytes()]
    with Client(url) as client:
        expected = client.predict(samples, sr=16_000)
        *_, summary = client.stream(mixed, 16_000)
    assert summary.score == pytest.approx(expected.score, abs=1e-3)


def test_an_older_service_is_sent_16_bits(url, monkeypatch):
    class OlderMessage(ReadyMessage):
        encodings: tuple[str, ...] = Field(("pcm_s16",), exclude=True)

    monkeypatch.setattr("service.stream.ReadyMessage", OlderMessage)
    with Client(url) as client:
        ready, *_, summary = client.stream(cut(hum().astype(np.float32)), 16_000)
    assert ready.encodings == ("pcm_s16",)
    assert summary.audio.encoding == "pcm_s16"


@pytest.mark.parametrize(
    ("samples", "error"),
    [
        (np.zeros((16_000, 2), np.int16), errors.UnsupportedAudio),
        (np.zeros(16_000, np.int64), errors.UnsupportedAudio),
        (np.full(16_000, np.nan, np.float32), errors.NotFinite),
    ],
    ids=["stereo", "int64", "nan"],
)
def test_what_a_stream_cannot_carry_is_said_before_it_is_sent(url, samples, error):
    with Client(url) as client, pytest.raises(error):
        list(client.stream([samples], 16_000))


@pytest.mark.parametrize(
    ("samples", "sr", "said"),
    [
        (np.zeros((2, 70_000), np.float32), 16_000, "70000 channels"),
        (np.zeros(16_000, np.int64), 16_000, "int64"),
        (np.zeros((10, 10, 1), np.float32), 16_000, "3 dimensions"),
        (np.zeros(16_000, np.complex64), 16_000, "complex64"),
        (np.zeros(16_000, np.float32), 0, "0 Hz"),
        (np.zeros((100, 256), np.float32), 2**24, "16777216 Hz"),
    ],
)
def test_samples_that_no_file_holds_are_refused_in_words(url, samples, sr, said):
    with Client(url) as client, pytest.raises(errors.UnsupportedAudio, match=said):
        client.predict(samples, sr=sr)


def test_a_rate_may_be_a_whole_float_and_a_zero_is_sent(url):
    with Client(url) as client:
        assert client.predict(hum(), sr=16_000.0).label
        with pytest.raises(ServiceProblem, match="top_k"):
            client.predict(hum(), sr=16_000, top_k=0)


def test_a_chunk_may_be_larger_than_a_message(url):
    samples = as_int16(hum(seconds=40))
    with Client(url) as client:
        *_, summary = client.stream([samples.astype("<i2").tobytes()], 16_000)
    assert summary.audio.duration_s == 40


def test_a_key_opens_what_is_closed(models):
    key = "not-a-real-key-0123456789"
    settings = Settings.model_validate({"api_keys": f"tests:{key}"})

    async def ask(url):
        async with AsyncClient(url, key) as client:
            return [event async for event in client.stream(cut(as_int16(hum())), 16_000)]

    with running(create_app(settings, models)) as url:
        with Client(url) as client:
            for refused in (client.models, lambda: list(client.stream([b"\0\0"], 16_000))):
                with pytest.raises(ServiceProblem, match="API key") as problem:
                    refused()
                assert (problem.value.code, problem.value.status) == ("unauthorized", 401)
        with Client(url, key) as client:
            expected = client.predict(as_int16(hum()), sr=16_000)
            *_, summary = client.stream(cut(as_int16(hum())), 16_000)
        assert summary.label == asyncio.run(ask(url))[-1].label == expected.label


def test_the_asynchronous_stream_takes_chunks_that_are_awaited(url):
    async def microphone():
        for chunk in cut(as_int16(hum())):
            await asyncio.sleep(0)
            yield chunk

    async def ask(chunks):
        async with AsyncClient(url) as client:
            return [event async for event in client.stream(chunks, 16_000)]

    awaited, at_hand = asyncio.run(ask(microphone())), asyncio.run(ask(cut(as_int16(hum()))))
    assert awaited[-1].probabilities == at_hand[-1].probabilities
    assert len(awaited) == len(at_hand) > 3


def test_chunks_that_have_to_be_waited_for_do_not_hold_up_the_loop(url):
    """The second is given once the loop has done something else meanwhile."""
    done = threading.Event()

    def blocking():
        yield as_int16(hum())
        assert done.wait(30)
        yield as_int16(hum())

    async def ask():
        async with AsyncClient(url) as client:
            events = []
            async for event in client.stream(blocking(), 16_000):
                events.append(event)
                if isinstance(event, LiveSegment) and not done.is_set():
                    asyncio.get_running_loop().call_later(0.01, done.set)
            return events

    *_, summary = unless_it_hangs(lambda: asyncio.run(ask()))
    assert summary.audio.duration_s == 3


def test_a_stream_is_left_while_a_chunk_is_waited_for(url):
    never = threading.Event()

    def blocking():
        yield as_int16(hum())
        never.wait()

    async def leave():
        async with AsyncClient(url) as client:
            stream = client.stream(blocking(), 16_000)
            assert isinstance(await anext(stream), Ready)
            assert isinstance(await anext(stream), LiveSegment)
            await stream.aclose()
            return await client.models()

    assert unless_it_hangs(lambda: asyncio.run(leave())).default == "undertone-ravdess-2"
    never.set()


def test_what_a_stream_is_refused_for_is_raised(url):
    with Client(url) as client:
        with pytest.raises(errors.ModelNotFound):
            list(client.stream(cut(hum()), 16_000, model="hal-9000"))
        with pytest.raises(errors.UnusableAudio):
            list(client.stream([np.zeros(16_000, np.int16)], 16_000))


def test_what_goes_wrong_with_the_sound_is_raised_where_it_is_listened_to(url):
    def breaking():
        yield as_int16(hum())
        raise RuntimeError("the cable was pulled")

    async def ask():
        async with AsyncClient(url) as client:
            return [event async for event in client.stream(breaking(), 16_000)]

    with Client(url) as client, pytest.raises(RuntimeError, match="the cable was pulled"):
        list(client.stream(breaking(), 16_000))
    with pytest.raises(RuntimeError, match="the cable was pulled"):
        asyncio.run(ask())


def test_a_stream_may_be_left_before_its_end(url):
    with Client(url) as client:
        stream = client.stream(cut(as_int16(hum())), 16_000)
        assert isinstance(next(stream), Ready)
        stream.close()
        assert client.models().default == "undertone-ravdess-2"


def test_a_stream_that_is_not_opened_says_why():
    problem = {"code": "unauthorized", "status": 401, "detail": "This needs an API key."}
    with refusing(401, problem) as url:
        client = Client(url)
        with client, pytest.raises(ServiceProblem, match="needs an API key") as refused:
            list(client.stream([b"\0\0"], 16_000))
    assert (refused.value.code, refused.value.status) == ("unauthorized", 401)


def test_a_stream_without_room_is_asked_for_again_and_not_for_ever():
    problem = {"code": "overloaded", "status": 503, "detail": "16 streams are open."}

    async def ask(url):
        async with AsyncClient(url, retries=1) as client:
            return [event async for event in client.stream([b"\0\0"], 16_000)]

    with refusing(503, problem) as url:
        with Client(url, retries=1) as client, pytest.raises(ServiceUnavailable):
            list(client.stream([b"\0\0"], 16_000))
        with pytest.raises(ServiceUnavailable):
            asyncio.run(ask(url))


def test_a_stream_that_finds_no_room_is_opened_again_when_there_is(models, monkeypatch):
    """The service opens a stream to say that there is no room in it."""
    monkeypatch.setattr("service.errors.Overloaded.retry_after_s", 0)
    drawn, left = [], threading.Event()

    def until_left():
        while not left.wait(0.01):
            yield b"\0\0"

    def chunks():
        drawn.append(True)
        yield from cut(as_int16(hum()))

    async def ask(url):
        async with AsyncClient(url, retries=200) as client:
            return [event async for event in client.stream(chunks(), 16_000)]

    with (
        running(create_app(Settings(max_streams=1), models)) as url,
        Client(url, retries=200) as client,
        Client(url, retries=0) as hasty,
    ):
        for again in (lambda: list(client.stream(chunks(), 16_000)), lambda: asyncio.run(ask(url))):
            left.clear()
            first = client.stream(until_left(), 16_000)
            next(first)
            with pytest.raises(ServiceUnavailable, match="1 streams are open"):
                list(hasty.stream(chunks(), 16_000))
            assert not drawn, "nothing of the sound was taken"
            ending = threading.Timer(0.1, first.close)
            ending.start()
            assert again()[-1].label
            assert drawn.pop()
            left.set()
            ending.join()


@contextmanager
def through_a_cable(url: str) -> Iterator[tuple[str, threading.Event]]:
    """The way to a server over a connection that carries nothing any more, either way, once it is cut."""
    cut, address, ends = threading.Event(), httpx.URL(url), []

    def carry(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while (data := source.recv(4_096)) and not cut.is_set():
                sink.sendall(data)
            if not cut.is_set():
                sink.shutdown(socket.SHUT_WR)

    def connect() -> None:
        with suppress(OSError):
            while True:
                pair = listening.accept()[0], socket.create_connection((address.host, address.port))
                ends.extend(pair)
                for source, sink in (pair, pair[::-1]):
                    threads.append(threading.Thread(target=carry, args=(source, sink)))
                    threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threads = [threading.Thread(target=connect)]
        threads[0].start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", cut
        listening.shutdown(socket.SHUT_RDWR)
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
    for thread in threads:
        thread.join()


def unless_it_hangs(do: Callable[[], Any]) -> Any:
    """What ``do`` returns or raises."""
    done: Future[Any] = Future()

    def run() -> None:
        try:
            done.set_result(do())
        except Exception as error:
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    finished, _ = wait([done], timeout=60)
    assert finished, "it hangs"
    return done.result()


async def drained(url: str, chunks, sr: int = 16_000, **arguments) -> list:
    async with AsyncClient(url, **arguments) as client:
        return [event async for event in client.stream(chunks, sr)]


@pytest.mark.parametrize("is_speaking", [True, False])
@pytest.mark.parametrize("is_async", [True, False])
def test_a_stream_whose_service_is_silent_is_given_up(url, is_speaking, is_async):
    given_up = threading.Event()

    with through_a_cable(url) as (far, cut_off):

        def chunks():
            yield as_int16(hum(seconds=1))
            cut_off.set()
            while is_speaking and not given_up.is_set():
                yield as_int16(hum(seconds=10))
            given_up.wait()

        async def awaited():
            yield as_int16(hum(seconds=1))
            cut_off.set()
            while is_speaking:
                yield as_int16(hum(seconds=10))
            await asyncio.sleep(60)

        def listen():
            if is_async:
                return asyncio.run(drained(far, awaited(), timeout=1))
            with Client(far, timeout=1) as client:
                return list(client.stream(chunks(), 16_000))

        with pytest.raises(Unreachable, match="in time"):
            unless_it_hangs(listen)
        given_up.set()


@pytest.mark.parametrize("is_async", [True, False])
def test_who_pauses_for_longer_than_the_timeout_is_listened_to_still(url, is_async):
    def hesitant():
        yield as_int16(hum())
        time.sleep(2)
        yield as_int16(hum())

    async def hesitant_async():
        yield as_int16(hum())
        await asyncio.sleep(2)
        yield as_int16(hum())

    if is_async:
        *_, summary = asyncio.run(drained(url, hesitant_async(), timeout=0.5))
    else:
        with Client(url, timeout=0.5) as client:
            *_, summary = client.stream(hesitant(), 16_000)
    assert summary.label


def test_a_stream_that_is_left_is_left_although_nothing_of_it_is_taken(url, monkeypatch):
    monkeypatch.setattr("undertone.client.silence.CLOSE_S", 0.3)

    async def endless():
        while True:
            yield as_int16(hum(seconds=10))
            cut_off.set()

    async def leave():
        with suppress(TimeoutError):
            async with AsyncClient(far) as client, asyncio.timeout(1):
                async for _ in client.stream(endless(), 16_000):
                    pass

    with through_a_cable(url) as (far, cut_off):
        unless_it_hangs(lambda: asyncio.run(leave()))


def test_nobody_there_to_stream_to():
    with Client("http://127.0.0.1:9") as client, pytest.raises(Unreachable, match="running"):
        list(client.stream([b"\0\0"], 16_000))


def test_it_is_light():
    code = "import undertone.client, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & {"tensorflow", "librosa", "scipy", "fastapi", "service", "training"}
