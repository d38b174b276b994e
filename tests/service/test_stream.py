"""A real server and a real client, which behaves or does not."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import numpy as np
import pytest
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from service.app import create_app
from service.problems import KINDS
from service.settings import Settings
from service.wire import MAX_FRAME
from tests.support.servers import running
from tests.support.sounds import hum
from undertone import audio, wav
from undertone.emotions import RAVDESS

END = json.dumps({"type": "end"})
SR = 16_000


@contextmanager
def opened(client: httpx.Client, **query: object) -> Iterator[ClientConnection]:
    address = client.base_url.copy_with(scheme="ws", path="/stream", params=query)
    with connect(str(address), max_size=None, compression=None) as connection:
        yield connection


def received(connection: ClientConnection) -> tuple[list[dict], int]:
    """Every message until the connection is closed, and the close code."""
    messages = []
    try:
        while True:
            messages.append(json.loads(connection.recv(timeout=30)))
    except ConnectionClosed as closed:
        return messages, closed.rcvd.code if closed.rcvd else 1006


def pcm(samples: np.ndarray) -> bytes:
    return np.asarray(samples * 32767).astype("<i2").tobytes()


def send(connection: ClientConnection, data: bytes, seed: int) -> None:
    """In frames of random sizes, which may end inside a sample."""
    generator = np.random.default_rng(seed)
    while data:
        size = int(generator.choice([1, 5, 320, 2048, 9999, 70_000]))
        connection.send(data[:size])
        data = data[size:]


def of_page(client: httpx.Client, origin: str) -> tuple[list[dict], int | None]:
    """What the script of a page is told that opens a stream and ends it at once; and the status."""
    address = client.base_url.copy_with(scheme="ws", path="/stream")
    try:
        with connect(str(address), origin=origin) as connection:
            with suppress(ConnectionClosed):
                connection.send(END)
            return received(connection)
    except InvalidStatus as refused:
        return [json.loads(refused.response.body or b"{}")], 4000 + refused.response.status_code


@pytest.mark.parametrize("path", ["/nope", "/healthz", "/stream/", "/static/page/index.html", "/"])
def test_elsewhere_there_is_no_stream(client, path):
    with connect(str(client.base_url.copy_with(scheme="ws", path=path))) as connection:
        (problem,), code = received(connection)
    assert (problem["code"], problem["status"], code) == ("not_found", 404, 4404)


def test_pages_of_the_service_itself_may_stream(client):
    own = f"{client.base_url.host}:{client.base_url.port}"
    for origin in (f"http://{own}", f"https://{own}"):
        assert of_page(client, origin)[0][0]["type"] == "ready"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1", "http://127.0.0.1:1"]
)
def test_other_pages_may_not_stream(client, origin):
    (problem,), code = of_page(client, origin)
    assert (problem["code"], problem["status"], code) == ("origin_not_allowed", 403, 4403)
    assert problem["received"] == {"origin": origin}


def test_pages_that_the_operator_names_may_stream(models):
    for allowed, refused in (("https://one.example", ["null"]), ("*", [])):
        app = create_app(Settings.model_validate({"cors_origins": allowed}), models)
        with running(app) as url, httpx.Client(base_url=url) as client:
            assert of_page(client, "https://one.example")[0][0]["type"] == "ready"
            for origin in refused:
                assert of_page(client, origin)[1] == 4403


def open_streams(client: httpx.Client) -> float:
    (line,) = [
        line
        for line in client.get("/metrics").text.splitlines()
        if line.startswith("undertone_streams_open ")
    ]
    return float(line.split()[1])


def assert_nothing_is_left(client: httpx.Client) -> None:
    for _ in range(200):
        if open_streams(client) == 0:
            return
        time.sleep(0.05)
    pytest.fail("the stream is still open")


def test_a_conversation(client, hello):
    sound = np.tile(audio.read(hello, SR).samples, 2)
    with opened(client, sr=SR) as connection:
        ready = json.loads(connection.recv())
        assert ready["type"] == "ready"
        assert (ready["model"], ready["sr"]) == ("undertone-ravdess-2", SR)
        assert (ready["window_s"], ready["hop_s"]) == (3.0, 0.5)
        assert set(ready["emotions"]) == set(RAVDESS)
        connection.send(pcm(sound[:SR]))
        first, second = (json.loads(connection.recv()) for _ in range(2))
        assert (first["type"], first["start"], first["end"]) == ("segment", 0.0, 0.5)
        assert (second["start"], second["end"]) == (0.0, 1.0)
        assert second["label"] == second["probabilities"][0]["label"]
        assert second["score"] == second["probabilities"][0]["score"]
        assert len(second["probabilities"]) == 8
        assert second["reason"] is None
        assert second["latency_ms"] > 0
        connection.send(pcm(sound[SR:]))
        connection.send(END)
        (*segments, summary), code = received(connection)
    assert code == 1000
    assert summary["type"] == "summary"
    assert summary["request_id"] == ready["request_id"]
    shown = [first, second, *segments]
    for each in shown:
        assert each.pop("type") == "segment"
        assert each.pop("latency_ms") > 0
    assert summary["segments"] == shown


@pytest.mark.parametrize(
    ("sr", "seconds"), [(16_000, 12.1), (8_000, 6.0), (22_050, 3.3), (44_100, 0.2), (48_000, 7.9)]
)
def test_a_stream_ends_as_the_upload_of_the_same_samples(client, hello, sr, seconds):
    sound = np.tile(audio.read(hello, sr).samples, 4)[: round(sr * seconds)]
    with opened(client, sr=sr) as connection:
        send(connection, pcm(sound), seed=sr)
        connection.send(END)
        messages, code = received(connection)
    assert code == 1000
    stored = np.frombuffer(pcm(sound), "<i2") / np.float32(32768)
    reply = client.post(
        "/predict",
        content=wav.encode(stored, sr),
        headers={"Content-Type": "audio/wav"},
        params={"segments": True},
    ).json()
    summary = messages[-1]
    assert_same(summary, reply)
    assert len(summary["segments"]) == len(reply["segments"])
    for one, other in zip(summary["segments"], reply["segments"], strict=True):
        assert (one["start"], one["end"]) == (other["start"], other["end"])
        assert_same(one, other)
    assert summary["audio"] == reply["audio"]
    assert summary["warnings"] == reply["warnings"]
    assert set(summary) == {*reply, "type"}


def assert_same(one: dict, other: dict) -> None:
    assert (one["probabilities"] is None) == (other["probabilities"] is None)
    if one["probabilities"] is not None:
        scores, others = (
            {each["label"]: each["score"] for each in reply["probabilities"]}
            for reply in (one, other)
        )
        assert scores == pytest.approx(others, abs=1e-3)


FLOATS = json.dumps({"type": "format", "encoding": "float32"})


@pytest.mark.parametrize("scale", [0.001, 1, 30_000])
def test_floats_are_heard_as_in_a_file_of_floats(client, hello, scale):
    sound = audio.read(hello, SR).samples * np.float32(scale)
    with opened(client) as connection:
        assert json.loads(connection.recv())["encodings"] == ["pcm_s16", "float32"]
        connection.send(FLOATS)
        send(connection, sound.astype("<f4").tobytes(), seed=0)
        connection.send(END)
        (*_, summary), code = received(connection)
    assert code == 1000
    reply = client.post(
        "/predict",
        content=wav.encode(sound, SR, "float32"),
        headers={"Content-Type": "audio/wav"},
        params={"segments": True},
    ).json()
    assert_same(summary, reply)
    assert summary["audio"] == reply["audio"]
    assert summary["warnings"] == reply["warnings"]


def test_the_encoding_may_change_between_samples_and_not_within_one(client):
    sound = hum(2)
    with opened(client) as connection:
        connection.send(pcm(sound[:SR]))
        connection.send(FLOATS)
        connection.send(sound[SR:].astype("<f4").tobytes())
        connection.send(json.dumps({"type": "format", "encoding": "pcm_s16"}))
        connection.send(END)
        (*_, summary), code = received(connection)
    assert (summary["audio"]["duration_s"], code) == (2, 1000)
    with opened(client) as connection:
        connection.send(pcm(sound) + b"\0")
        connection.send(FLOATS)
        (*_, problem), code = received(connection)
    assert (problem["code"], code) == ("malformed_request", 4400)


def test_floats_that_are_no_numbers_are_refused(client):
    with opened(client) as connection:
        connection.send(FLOATS)
        connection.send(np.full(SR, np.nan, "<f4").tobytes())
        (*_, problem), code = received(connection)
    assert (problem["code"], code) == ("not_finite", 4422)


def test_half_a_sample_at_the_end_is_warned_of(client):
    with opened(client) as connection:
        connection.send(pcm(hum()) + b"\0")
        connection.send(END)
        messages, code = received(connection)
    assert code == 1000
    assert [each["code"] for each in messages[-1]["warnings"]] == ["truncated_frame"]


@pytest.mark.parametrize(
    ("query", "code", "problem"),
    [
        ({"model": "hal-9000"}, 4404, "model_not_found"),
        ({"sr": "fast"}, 4422, "invalid_request"),
        ({"sr": -16_000}, 4422, "invalid_request"),
        ({"sr": "9" * 5_000}, 4422, "invalid_request"),
        ({"sr": 1_000}, 4415, "unsupported_audio"),
    ],
)
def test_what_cannot_be_asked_for(client, query, code, problem):
    with opened(client, **query) as connection:
        (message,), closed = received(connection)
    assert closed == code
    assert (message["type"], message["code"]) == ("problem", problem)
    assert message["status"] == KINDS[problem].status == code - 4000
    assert set(message) >= {"title", "detail", "received", "allowed", "request_id"}


def test_which_rates_may_be_asked_for_is_told(client):
    with opened(client, sr="fast") as connection:
        (message,), _ = received(connection)
    assert message["allowed"] == {"sr": [4_000, 192_000]}


@pytest.mark.parametrize(
    "text",
    [
        *("hello", "{}", "[", '{"type": "stop"}', '"end"', "null", "[" * 99_999),
        *('{"type": "format"}', '{"type": "format", "encoding": "mulaw"}'),
        '{"type": "format", "encoding": ["float32"]}',
    ],
)
def test_text_that_is_not_the_end_is_garbage(client, text):
    with opened(client) as connection:
        connection.send(text)
        messages, code = received(connection)
    assert code == 4400
    assert messages[-1]["code"] == "malformed_request"
    assert_nothing_is_left(client)


@pytest.mark.parametrize(
    ("samples", "problem"), [(hum(0.05), "too_short"), (np.zeros(2 * SR), "no_speech")]
)
def test_nothing_to_hear(client, samples, problem):
    with opened(client) as connection:
        connection.send(pcm(samples))
        connection.send(END)
        messages, code = received(connection)
    assert code == 4422
    assert messages[-1]["code"] == problem


def test_noise_is_sound_in_which_nobody_speaks(client):
    with opened(client) as connection:
        send(connection, np.random.default_rng(0).bytes(200_001), seed=1)
        connection.send(b"")
        connection.send(END)
        messages, code = received(connection)
    assert code == 4422
    (_, *segments, problem) = messages
    assert problem["code"] == "no_speech"
    assert segments
    assert all((each["label"], each["reason"]) == (None, "no_speech") for each in segments[2:])


def test_too_much_is_too_long(models):
    with (
        running(create_app(Settings(max_duration_s=2), models)) as url,
        httpx.Client(base_url=url) as client,
    ):
        with opened(client) as connection:
            connection.send(pcm(hum(2.1)))
            messages, code = received(connection)
        assert code == 4413
        assert messages[-1]["code"] == "audio_too_long"
        assert_nothing_is_left(client)


def test_a_frame_that_is_too_large_is_refused_unread(client):
    with opened(client) as connection:
        connection.send(bytes(MAX_FRAME))
        connection.send(bytes(MAX_FRAME + 1))
        _, code = received(connection)
    assert code == 1009
    assert_nothing_is_left(client)


def test_faster_than_real_time_is_slowed_down_and_loses_nothing(client):
    """60 s as fast as the connection takes them."""
    sound = np.tile(hum(3), 20)
    with opened(client) as connection:
        for frame in np.array_split(sound, 100):
            connection.send(pcm(frame))
        connection.send(END)
        messages, code = received(connection)
    assert code == 1000
    ends = [each["end"] for each in messages if each["type"] == "segment"]
    assert ends == [0.5 * n for n in range(1, 121)]
    assert [each["end"] for each in messages[-1]["segments"]] == ends


def test_one_who_says_nothing_is_given_up(models, monkeypatch):
    with (
        running(create_app(Settings(upload_timeout_s=0.2), models)) as url,
        httpx.Client(base_url=url) as client,
        opened(client) as connection,
    ):
        messages, code = received(connection)
        assert code == 4408
        assert messages[-1]["code"] == "upload_stalled"
        assert_nothing_is_left(client)


def test_one_who_dribbles_is_given_up(models, monkeypatch):
    """A sample now and then is no reason to keep a place for a year."""
    with (
        running(create_app(Settings(max_duration_s=0.2, upload_timeout_s=0.3), models)) as url,
        httpx.Client(base_url=url) as client,
        opened(client) as connection,
    ):
        for _ in range(20):
            with suppress(ConnectionClosed):
                connection.send(bytes(2))
            time.sleep(0.05)
        messages, code = received(connection)
        assert code == 4408
        assert messages[-1]["code"] == "upload_stalled"
        assert_nothing_is_left(client)


@pytest.mark.parametrize(
    ("garbage", "code"),
    [
        (b"\xff" * 100, 1002),
        (b"\x81\xfe\x00\x7e" + bytes(4) + b"\xff" * 126, 1007),
        (b"\x02\x80" + bytes(4) + 1_100 * (b"\x00\x80" + bytes(4)), 1009),
    ],
)
def test_what_is_no_message_is_garbage(client, garbage, code):
    with deaf(client) as raw:
        raw.sendall(garbage)
        said = b"".join(iter(lambda: raw.recv(65_536), b""))
    assert said[said.rindex(b"\x88") + 2 :][:2] == code.to_bytes(2)
    assert_nothing_is_left(client)


def test_pings_of_one_who_does_not_read_pile_up_nowhere(models, monkeypatch):
    buffered = []

    def handle_ping(connection) -> None:
        WebSocketsSansIOProtocol.handle_ping(connection)
        buffered.append(connection.transport.get_write_buffer_size())

    monkeypatch.setattr("service.wire.FirmWebSocket.handle_ping", handle_ping)
    monkeypatch.setattr("service.wire.LINGER_S", 0.2)
    with (
        running(create_app(Settings(upload_timeout_s=2), models), small_buffers=True) as url,
        httpx.Client(base_url=url) as client,
        deaf(client) as raw,
    ):
        with pytest.raises(OSError):  # noqa: PT011 — reset, or a time-out where it is not taken
            send_for_ever(raw, 1_000 * (b"\x89\xfd" + bytes(4) + bytes(125)))
        assert_nothing_is_left(client)
    assert max(buffered) < 1_000_000


def test_one_who_does_not_read_is_given_up(models, monkeypatch):
    """It sends on and on, and never takes an answer: the connection is ended all the same."""
    monkeypatch.setattr("service.wire.LINGER_S", 0.5)
    with (
        running(create_app(Settings(upload_timeout_s=0.5), models), small_buffers=True) as url,
        httpx.Client(base_url=url) as client,
        deaf(client) as raw,
    ):
        with pytest.raises(ConnectionError):
            send_for_ever(raw, _masked_frame(pcm(hum(0.5))))
        assert_nothing_is_left(client)
        closed = client.get("/metrics").text
        assert 'undertone_streams_closed_total{end="4408"} 1.0' in closed


def send_for_ever(raw: socket.socket, frame: bytes) -> None:
    while True:
        raw.sendall(frame)


def test_one_who_vanishes_leaves_nothing(client):
    with deaf(client) as raw:
        raw.sendall(_masked_frame(pcm(hum(3))))
    assert_nothing_is_left(client)
    with opened(client) as connection:
        connection.send(pcm(hum(1)))
        connection.close()
    assert_nothing_is_left(client)


def descriptors() -> int:
    """Of this process, in which the server runs, too."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_nothing_leaks(client):

    def misbehave() -> None:
        for _ in range(5):
            with deaf(client) as raw:
                raw.sendall(_masked_frame(pcm(hum(1))))
            with deaf(client) as raw:
                raw.sendall(_masked_frame(bytes(4_000))[:2_000])
            with deaf(client) as raw:
                raw.sendall(b"\xff" * 100)
            with opened(client) as connection:
                connection.send("garbage")
                received(connection)
            with opened(client) as connection:
                with suppress(ConnectionClosed):  # which may come before all of it was sent
                    connection.send(bytes(MAX_FRAME + 1))
                received(connection)

    misbehave()
    assert_nothing_is_left(client)
    before = descriptors()
    misbehave()
    assert_nothing_is_left(client)
    for _ in range(100):
        if descriptors() <= before:
            return
        time.sleep(0.05)
    pytest.fail("connections are left")


def test_many_at_once(client):
    with ExitStack() as streams:
        connections = [streams.enter_context(opened(client)) for _ in range(12)]
        for part in np.array_split(np.tile(hum(2), 2), 8):
            for connection in connections:
                connection.send(pcm(part))
        for connection in connections:
            connection.send(END)
        replies = [received(connection) for connection in connections]
    assert [code for _, code in replies] == [1000] * 12
    labels = [[each["end"] for each in messages[-1]["segments"]] for messages, _ in replies]
    assert labels == [labels[0]] * 12
    assert_nothing_is_left(client)


def test_a_fault_of_ours_says_no_more_than_its_id(models, monkeypatch, caplog):
    def broken(*_):
        raise ArithmeticError("the secret formula")

    monkeypatch.setattr("service.listening.Ear.prepare", broken)
    with (
        running(create_app(Settings(), models)) as url,
        httpx.Client(base_url=url) as client,
        opened(client) as connection,
    ):
        connection.send(pcm(hum(1)))
        messages, code = received(connection)
    assert code == 1011
    assert messages[-1]["code"] == "internal_error"
    assert "secret" not in json.dumps(messages)
    assert any(record.exc_info for record in caplog.records)


def test_a_plain_get_is_told_what_it_takes(client):
    response = client.get("/stream")
    assert response.status_code == 426
    assert response.json()["code"] == "upgrade_required"


@contextmanager
def deaf(client: httpx.Client) -> Iterator[socket.socket]:
    """An open stream on a bare socket, which reads nothing after the handshake."""
    host, port = client.base_url.host, client.base_url.port
    with socket.socket() as raw:
        raw.settimeout(30)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect((host, port))
        raw.sendall(
            b"GET /stream HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert raw.recv(4096).startswith(b"HTTP/1.1 101")
        yield raw


def _masked_frame(data: bytes) -> bytes:
    """A binary frame as a client sends it; the mask is 0, which changes nothing."""
    assert len(data) > 125
    length = (
        b"\xfe" + len(data).to_bytes(2) if len(data) < 2**16 else b"\xff" + len(data).to_bytes(8)
    )
    return b"\x82" + length + bytes(4) + data
