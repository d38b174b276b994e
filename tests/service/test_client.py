"""`undertone.client` against a real server, and against one that says what a test tells it to."""

import asyncio
import copy
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
from undertone import errors, wav
from undertone.client import (
    AsyncClient,
    Client,
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
    data = calls.sent(path).data
    assert (wav.samples(data, wav.parse(data))[:, 0] == decoded).all()


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_what_decoding_a_file_tells_is_told_as_the_library_tells_it(url, bundle, tmp_path, kind):
    path = tmp_path / "twice.ogg"
    soundfile.write(path, hum(), 16_000)
    path.write_bytes(2 * path.read_bytes())

    async def ask():
        async with AsyncClient(url) as client:
            return await client.predict(path), await client.batch([hum_wav(), path])

    if kind is AsyncClient:
        alone, (plain, in_batch) = asyncio.run(ask())
    else:
        with Client(url) as client:
            alone, (plain, in_batch) = client.predict(path), client.batch([hum_wav(), path])
    expected = undertone.load(bundle).predict(path).warnings
    assert [each.code for each in expected] == ["joined_recordings"]
    assert alone.warnings == in_batch.warnings == expected
    assert plain.warnings == ()


def test_what_decoding_a_file_tells_is_told_of_each_channel_that_is_heard(url, bundle, tmp_path):
    path = tmp_path / "twice.ogg"
    soundfile.write(path, np.stack([hum(), np.zeros_like(hum())], axis=1), 16_000)
    path.write_bytes(2 * path.read_bytes())
    with Client(url) as client:
        said = client.predict(path, split_channels=True)
    heard, silent = said.channels
    assert [each.code for each in said.warnings] == ["joined_recordings"]
    assert heard.warnings == said.warnings
    assert (silent.warnings, silent.reason) == ((), "no_speech")


def test_how_much_of_a_compressed_file_is_taken_the_service_says(models, tmp_path):
    path = tmp_path / "long.flac"
    soundfile.write(path, np.tile(hum(seconds=10), 62), 16_000)
    for limit, taken in ((300.0, False), (700.0, True)):
        settings = Settings(max_duration_s=limit, deadline_s=300)
        with running(create_app(settings, models)) as url, Client(url, timeout=300) as client:
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


def test_a_batch_is_asked_what_one_recording_is_asked(url):
    with Client(url) as client:
        (heard,) = client.batch([hum_wav()], top_k=2, segments=True, split_channels=True)
    assert len(heard.probabilities) == 2
    assert heard.segments
    assert len(heard.channels) == 1


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


def test_it_is_light():
    code = "import undertone.client, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & {"tensorflow", "librosa", "scipy", "fastapi", "service", "training"}
