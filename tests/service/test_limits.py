"""Talks to the service through bare sockets where it matters what was sent when."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi import FastAPI, Request
from starlette.middleware import Middleware

from service import problems
from service.app import create_app
from service.drain import Drain
from service.limits import PAUSE_S, Gate
from service.metrics import Metrics
from service.models import Models
from service.observe import Observe
from service.settings import Settings
from tests.support.servers import running
from tests.support.sounds import hum_wav
from undertone.bundle import read_manifest
from undertone.classifier import Classifier, load

MAX_BYTES = 50_000
WAV = {"Content-Type": "audio/wav"}


@pytest.fixture(scope="module")
def url(models: Models) -> Iterator[str]:
    settings = Settings(max_upload_bytes=MAX_BYTES, max_requests=1, upload_timeout_s=5)
    app = create_app(settings, models)
    with running(app) as url:
        yield url


@contextmanager
def opened(url: str, *headers: str) -> Iterator[socket.socket]:
    """A connection on which a POST /predict was begun."""
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port), timeout=30) as connection:
        lines = ("POST /predict HTTP/1.1", "Host: test", "Content-Type: audio/wav", *headers)
        connection.sendall("\r\n".join((*lines, "", "")).encode())
        yield connection


def everything(connection: socket.socket) -> str:
    """What the service says until it closes the connection."""
    return b"".join(iter(lambda: connection.recv(65_536), b"")).decode()


def test_a_body_that_announces_too_much_is_refused_unread(url):
    with opened(url, "Content-Length: 1000000000000") as connection:
        answer = everything(connection)
    assert answer.startswith("HTTP/1.1 413")
    assert "content-type: application/problem+json" in answer
    assert '"code":"audio_too_large"' in answer
    assert f'"allowed":{{"max_bytes":{MAX_BYTES}}}' in answer


def test_a_body_that_announces_nothing_is_cut_at_the_limit(url):
    chunk = b"4000\r\n" + bytes(0x4000) + b"\r\n"
    with opened(url, "Transfer-Encoding: chunked") as connection:
        connection.sendall(5 * chunk)  # beyond the limit, and not the end of the body
        answer = everything(connection)
    assert answer.startswith("HTTP/1.1 413")
    assert "connection: close" in answer.lower()
    assert '"code":"audio_too_large"' in answer


def test_a_file_as_large_as_the_limit_is_taken_and_not_a_byte_more(url):
    data = hum_wav(seconds=1)
    exact = data + bytes(MAX_BYTES - len(data))
    for send in (
        lambda data: httpx.post(f"{url}/predict", files={"file": ("clip.wav", data)}),
        lambda data: httpx.post(f"{url}/predict", content=data, headers=WAV),
        lambda data: httpx.post(f"{url}/predict", content=iter([data]), headers=WAV),
    ):
        assert send(exact).status_code == 200
        response = send(exact + b"\0")
        assert response.status_code == 413
        assert response.json()["code"] == "audio_too_large"


def test_a_slow_upload_keeps_no_place_from_others(url):
    with opened(url, "Content-Length: 1000") as slow:
        slow.sendall(b"RIFF")
        for _ in range(3):
            assert httpx.post(f"{url}/predict", content=hum_wav(), headers=WAV).status_code == 200


def test_uploads_that_would_not_fit_into_memory_together_are_turned_away(url):
    data = hum_wav(seconds=1)
    with opened(url, "Content-Length: 45000") as first:
        first.sendall(bytes(44_999))
        refused = until(503, url, data)
        assert refused.json()["code"] == "overloaded"
        assert refused.headers["retry-after"] == "1"
    assert until(200, url, data).status_code == 200, "the client that went gave its room back"


def until(status: int, url: str, data: bytes) -> httpx.Response:
    """The answer with this status, which comes as soon as the service has seen what was sent."""
    for _ in range(100):
        response = httpx.post(f"{url}/predict", content=data, headers=WAV)
        if response.status_code == status:
            break
    return response


@pytest.mark.parametrize("trickle", [b"", b"R"])
def test_an_upload_that_stops_or_falls_behind_is_given_up(models, trickle):
    with (
        running(create_app(Settings(upload_timeout_s=0.3), models)) as url,
        opened(url, "Content-Length: 100000") as connection,
    ):
        connection.settimeout(0.05)
        for _ in range(100):
            connection.sendall(trickle)
            try:
                answer = connection.recv(65_536)
            except TimeoutError:
                continue
            break
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"upload_stalled" in answer


def gated(drain: Drain | None = None, **settings: object) -> FastAPI:
    """An app behind a gate; its one route reads what is uploaded, then waits to be let go on."""
    settings = Settings.model_validate(settings)
    app = FastAPI(
        middleware=[
            Middleware(Observe, metrics=Metrics()),
            Middleware(Gate, settings=settings, drain=drain or Drain()),
        ]
    )
    problems.install(app)
    app.state.go_on = asyncio.Event()
    app.state.cancelled = 0

    @app.post("/work")
    async def work(request: Request) -> str:
        await request.body()
        try:
            await app.state.go_on.wait()
        except asyncio.CancelledError:
            app.state.cancelled += 1
            raise
        return "done"

    @app.get("/look")
    async def look() -> str:
        return "here"

    return app


@contextmanager
def talking_to(app: FastAPI) -> Iterator[httpx.AsyncClient]:
    yield httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def post(client: httpx.AsyncClient, times: int) -> list[asyncio.Task[httpx.Response]]:
    """That many uploads, all of them begun and got as far as they get by themselves."""
    tasks = [asyncio.create_task(client.post("/work", content=b"data")) for _ in range(times)]
    for _ in range(50):
        await asyncio.sleep(0)
    return tasks


def test_what_is_done_before_the_upload_is_read_is_no_fault_of_the_client():
    async def scenario():
        app = gated(upload_timeout_s=0.05)

        @app.post("/load")
        async def load(request: Request) -> str:
            await asyncio.sleep(0.2)  # a model, say
            return (await request.body()).decode()

        with talking_to(app) as client:
            answer = await client.post("/load", content=b"data")
            assert (answer.status_code, answer.json()) == (200, "data")

    asyncio.run(scenario())


def test_so_many_are_in_work_so_many_wait_and_the_rest_is_told_to_come_again(monkeypatch):
    monkeypatch.setattr("service.limits.PAUSE_S", 0)

    async def scenario():
        app = gated(max_requests=2, max_waiting=3)
        with talking_to(app) as client:
            tasks = await post(client, 8)
            refused = [task.result() for task in tasks if task.done()]
            assert [each.status_code for each in refused] == [503] * 3
            for each in refused:
                assert each.json()["code"] == "overloaded"
                assert each.json()["allowed"] == {"in_work": 2, "waiting": 3}
                assert each.headers["retry-after"] == "1"
            assert (await client.get("/look")).status_code == 200, "nothing else is ever refused"
            app.state.go_on.set()
            answers = [await task for task in tasks if task not in refused]
            assert sorted(each.status_code for each in answers) == [200] * 5 + [503] * 3
            assert (await client.post("/work", content=b"data")).status_code == 200

    asyncio.run(scenario())


def test_without_room_to_wait_there_is_none(monkeypatch):
    monkeypatch.setattr("service.limits.PAUSE_S", 0)

    async def scenario():
        app = gated(max_requests=1, max_waiting=0)
        with talking_to(app) as client:
            first, second = await post(client, 2)
            assert second.result().status_code == 503
            app.state.go_on.set()
            assert (await first).status_code == 200

    asyncio.run(scenario())


def test_who_leaves_while_waiting_leaves_the_place_to_others():
    async def scenario():
        app = gated(max_requests=1, max_waiting=1)
        left, sent = asyncio.Event(), []
        body = iter([{"type": "http.request", "body": b"data"}])

        async def receive():
            if message := next(body, None):
                return message
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        scope = posting("/work")
        with talking_to(app) as client:
            (first,) = await post(client, 1)
            waiting = asyncio.create_task(app(scope, receive, send))
            (refused,) = await post(client, 1)
            assert (await refused).status_code == 503
            left.set()
            await waiting
            assert sent[0]["status"] == 499
            (other,) = await post(client, 1)
            assert not other.done()
            app.state.go_on.set()
            assert [(await each).status_code for each in (first, other)] == [200, 200]

    asyncio.run(scenario())


def posting(path: str) -> dict:
    """Of a POST, as a server makes it."""
    return {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
        "http_version": "1.1",
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
    }


def test_what_takes_too_long_is_given_up_whether_in_work_or_waiting():
    async def scenario():
        app = gated(max_requests=1, max_waiting=1, deadline_s=0.5)
        with talking_to(app) as client:
            for task in await post(client, 2):
                answer = await task
                assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
                assert answer.json()["request_id"] == answer.headers["x-request-id"]
            # The other one may have had its turn for what was left of its time.
            assert app.state.cancelled in (1, 2)
            app.state.go_on.set()
            assert (await client.post("/work", content=b"data")).status_code == 200

    asyncio.run(scenario())


def test_at_the_end_of_the_process_what_is_in_work_is_finished_and_nothing_else_begun():
    async def scenario():
        drain = Drain()
        app = gated(drain)
        with talking_to(app) as client:
            (first,) = await post(client, 1)
            drain.begin()
            assert drain.under_way == 1
            late = await client.post("/work", content=b"data")
            assert (late.status_code, late.json()["code"]) == (503, "not_ready")
            assert late.headers["retry-after"] == "1"
            app.state.go_on.set()
            assert (await first).status_code == 200
            for answer in (late, await first, await client.get("/look")):
                assert answer.headers["connection"] == "close"
            assert drain.under_way == 0

    asyncio.run(scenario())


def test_a_request_that_is_given_up_is_dropped_from_the_queue_of_the_model(bundle: Path):
    model = load(bundle)
    asked: list[int] = []
    answering = threading.Event()
    answering.set()

    class Busy:
        def infer(self, features: np.ndarray) -> np.ndarray:
            asked.append(len(features))
            assert answering.wait(30)
            return model.engine.infer(features)

    name = model.manifest.name
    found = {name: (bundle, read_manifest(bundle))}
    models = Models(found, name, lambda _: Classifier(model.bundle, Busy()))
    with (
        running(create_app(Settings(deadline_s=3, threads=2), models)) as url,
        httpx.Client(base_url=url, timeout=30) as client,
        ThreadPoolExecutor(4) as pool,
    ):

        def send():
            return pool.submit(client.post, "/predict", content=hum_wav(), headers=WAV)

        answering.clear()
        asked.clear()  # it was asked before the first request
        sent = [send()]
        while not asked:  # the only thread for the network is busy with it before the others come
            assert not sent[0].done()
            time.sleep(0.01)
        sent += [send() for _ in "234"]
        assert [each.result().status_code for each in sent] == [504] * 4
        answering.set()
        again = client.post("/predict", content=hum_wav(), headers=WAV)
        assert again.status_code == 200
    assert asked == [1, 1], "the first of the four, and the last one: three were dropped"


class Stream:
    """The application's side of a WebSocket, which it accepts and holds open."""

    def __init__(self, gate_settings: Settings, drain: Drain) -> None:
        self.sent: list[dict] = []
        self.opened = asyncio.Event()
        self.gate = Gate(self.app, gate_settings, drain)

    async def app(self, scope, receive, send):
        await send({"type": "websocket.accept"})
        self.opened.set()
        await asyncio.Event().wait()

    async def send(self, message):
        self.sent.append(message)

    async def receive(self):
        return {"type": "websocket.connect"}

    def open(self) -> asyncio.Task[None]:
        scope = {"type": "websocket", "path": "/stream", "state": {"request_id": "id"}}
        return asyncio.create_task(self.gate(scope, self.receive, self.send))


def assert_closed(stream: Stream, code: str, close_code: int) -> None:
    accept, problem, close = stream.sent
    assert accept["type"] == "websocket.accept"
    said = json.loads(problem["text"])
    assert (said["type"], said["code"], said["request_id"]) == ("problem", code, "id")
    assert close == {"type": "websocket.close", "code": close_code}


def test_a_stream_too_many_is_closed_with_its_reason():
    async def scenario():
        stream = Stream(Settings(max_streams=1), Drain())
        first = stream.open()
        await stream.opened.wait()
        stream.sent.clear()
        await stream.open()
        assert_closed(stream, "overloaded", 4503)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        third = stream.open()
        await asyncio.sleep(0.01)
        assert not third.done(), "there is room again"
        third.cancel()

    asyncio.run(scenario())


def test_streams_end_with_the_process():
    async def scenario():
        drain = Drain()
        stream = Stream(Settings(), drain)
        task = stream.open()
        await stream.opened.wait()
        drain.begin()
        await asyncio.wait_for(task, 30)
        assert_closed(stream, "not_ready", 4503)
        stream.sent.clear()
        await stream.open()
        assert_closed(stream, "not_ready", 4503)

    asyncio.run(scenario())


def test_a_stream_whose_client_is_gone_ends_with_the_process_too():
    class Gone(Stream):
        async def send(self, message):
            if message["type"] != "websocket.accept":
                raise ConnectionResetError

    async def scenario():
        drain = Drain()
        stream = Gone(Settings(), drain)
        task = stream.open()
        await stream.opened.wait()
        drain.begin()
        await asyncio.wait_for(task, 30)

    asyncio.run(scenario())


def test_who_finds_no_room_is_told_after_a_pause_in_which_others_are_heard(monkeypatch):
    paused: list[float] = []
    statuses: list[int] = []

    async def main() -> None:
        entered, over = asyncio.Event(), asyncio.Event()

        async def app(_scope, receive, _send) -> None:
            await receive()
            entered.set()
            await over.wait()

        async def receive():
            return {"type": "http.request", "body": b"ab", "more_body": False}

        async def send(message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        async def sleep(seconds: float) -> None:
            paused.append(seconds)

        def upload(n_bytes: int):
            headers = [(b"content-length", b"%d" % n_bytes)]
            scope = {"type": "http", "method": "POST", "path": "/predict", "headers": headers}
            return gate({**scope, "state": {"request_id": "one"}}, receive, send)

        gate = Gate(app, Settings(max_requests=1, max_waiting=0), Drain())
        first = asyncio.create_task(upload(2))
        await entered.wait()
        monkeypatch.setattr(asyncio, "sleep", sleep)
        await upload(10**9)
        assert not paused
        await upload(2)
        over.set()
        await first

    asyncio.run(asyncio.wait_for(main(), 30))
    assert statuses == [413, 503]
    assert paused == [PAUSE_S]
