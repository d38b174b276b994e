"""Streams of `undertone.client`, against a real server and against what only claims to be one."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
import websockets
from pydantic import Field
from websockets.sync.server import serve

from service.app import create_app
from service.messages import ReadyMessage
from service.models import Models
from service.settings import Settings
from tests.support.servers import running
from tests.support.sounds import hum
from undertone import errors
from undertone.client import (
    AsyncClient,
    Client,
    LiveSegment,
    Ready,
    ServiceProblem,
    ServiceUnavailable,
    Unreachable,
)


@pytest.fixture(scope="module")
def url(models: Models) -> Iterator[str]:
    with running(create_app(Settings(), models)) as url:
        yield url


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
        time.sleep(5)
        yield as_int16(hum())

    async def hesitant_async():
        yield as_int16(hum())
        await asyncio.sleep(5)
        yield as_int16(hum())

    if is_async:
        *_, summary = asyncio.run(drained(url, hesitant_async(), timeout=2))
    else:
        with Client(url, timeout=2) as client:
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
