"""Connections that do not come to the point, before there is a request that `service.limits` sees."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request
from uvicorn.server import ServerState

from service.app import create_app
from service.protocol import MAX_PIPELINED, PunctualProtocol
from service.settings import Settings
from tests.support.servers import running
from tests.support.sounds import hum_wav

HEADER = b"POST /predict HTTP/1.1\r\nHost: test\r\nContent-Type: audio/wav\r\n"


@pytest.fixture
def url(models, monkeypatch) -> Iterator[str]:
    monkeypatch.setattr("service.protocol.HEADER_S", 1.0)
    with running(create_app(Settings(), models)) as url:
        yield url


@contextlib.contextmanager
def connected(url: str, times: int = 1, said: bytes = b"") -> Iterator[list[socket.socket]]:
    """Connections, on each of which something is said at once."""
    address = httpx.URL(url)
    with contextlib.ExitStack() as stack:
        connections = []
        for _ in range(times):
            connection = socket.create_connection((address.host, address.port), timeout=30)
            connections.append(stack.enter_context(connection))
            connection.sendall(said)
        yield connections


def talked_at(connection: socket.socket, piece: bytes, times: int) -> bytes:
    """What a connection answers to whoever goes on talking, until it ends, as it has to."""
    connection.settimeout(0.02)
    answer = b""
    for _ in range(times):
        try:
            connection.sendall(piece)
            if not (more := connection.recv(65_536)):
                return answer
            answer += more
        except TimeoutError:
            continue
        except ConnectionError:
            return answer
    pytest.fail("it listens still")


@pytest.mark.parametrize("said", [b"", b"P", HEADER, HEADER + b"X: " + 9_000 * b"y"])
def test_headers_that_do_not_end_are_not_waited_for_and_keep_nobody_waiting(url, said):
    with connected(url, 50, said) as slow:
        response = httpx.post(
            f"{url}/predict", content=hum_wav(), headers={"Content-Type": "audio/wav"}
        )
        assert response.status_code == 200
        assert [connection.recv(1) for connection in slow] == [b""] * 50


def test_a_header_that_comes_byte_by_byte_has_no_more_time(url):
    with connected(url) as (slow,):
        slow.settimeout(0.02)
        for byte in HEADER * 10:
            try:
                slow.sendall(bytes([byte]))
                answer = slow.recv(1)
            except TimeoutError:
                continue
            except ConnectionError:
                answer = b""
            break
        assert answer == b""


def test_after_an_answer_the_next_header_has_its_own_time(url):
    with connected(url) as (connection,):
        for _ in range(3):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n")
            answer = b""
            while not answer.endswith(b'{"status":"ok"}'):
                more = connection.recv(4_096)
                assert more, "the connection was closed"
                answer += more
            assert answer.startswith(b"HTTP/1.1 200")
        connection.sendall(HEADER)
        assert connection.recv(1) == b""


class Packets(asyncio.Transport):
    """What would be sent, write by write."""

    def __init__(self):
        super().__init__()
        self.sent = []

    def write(self, data):
        self.sent.append(bytes(data))

    def is_closing(self):
        return False

    def close(self):
        """There is nothing to close."""

    def get_write_buffer_size(self):
        return 0


def test_an_answer_comes_in_one_packet(models):
    async def packets() -> list[bytes]:
        config = uvicorn.Config(create_app(Settings(), models), lifespan="off", access_log=False)
        config.load()
        transport = Packets()
        protocol = PunctualProtocol(config, ServerState(), {})
        protocol.connection_made(transport)
        protocol.data_received(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n")
        await asyncio.gather(*protocol.tasks)
        protocol.connection_lost(None)
        return transport.sent

    (packet,) = asyncio.run(packets())
    assert packet.startswith(b"HTTP/1.1 200 OK")
    assert packet.endswith(b'{"status":"ok"}')


def test_a_head_without_a_body_is_not_held_back(url):
    with connected(url) as (connection,):
        connection.sendall(b"HEAD /predict HTTP/1.1\r\nHost: test\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 405")
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")


def test_a_body_in_many_small_pieces_is_heard(url):
    body = hum_wav()
    head = HEADER + b"Transfer-Encoding: chunked\r\n\r\n"
    pieces = [body[:3_000], *(body[at : at + 7] for at in range(3_000, len(body), 7))]
    with connected(url) as (connection,):
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        connection.sendall(head + chunks + b"0\r\n\r\n")
        head, _, found = connection.recv(65_536).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    whole = httpx.post(f"{url}/predict", content=body, headers={"Content-Type": "audio/wav"})
    assert json.loads(found)["probabilities"] == whole.json()["probabilities"]


def test_who_asks_first_is_told_to_go_on(url):
    body = hum_wav()
    head = HEADER + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
    with connected(url) as (connection,):
        connection.sendall(head)
        assert connection.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 OK")


def test_the_rest_of_a_body_that_was_refused_is_not_listened_to_forever(url, monkeypatch):
    monkeypatch.setattr("service.protocol.REST_S", 0.3)
    said = b"POST /nowhere HTTP/1.1\r\nHost: test\r\nContent-Length: 10000000\r\n\r\n"
    with connected(url, said=said) as (connection,):
        assert talked_at(connection, b"x", 1_000).startswith(b"HTTP/1.1 404")


TOO_LARGE = HEADER + b"Content-Length: 100000000\r\n\r\n"


def test_who_sends_all_before_reading_gets_the_answer_to_what_was_refused_at_once(url):
    with connected(url) as (connection,):
        connection.sendall(TOO_LARGE)
        for _ in range(100):
            connection.sendall(bytes(1_000_000))
        answer = b""
        while more := connection.recv(65_536):
            answer += more
    assert answer.startswith(b"HTTP/1.1 413")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "audio_too_large"


@pytest.mark.parametrize(
    ("bound", "value", "piece"),
    [("REST_S", 0.3, b"x"), ("REST_PAUSE_S", 0.3, b""), ("REST_BYTES", 2**20, bytes(2**16))],
)
def test_what_was_refused_and_cut_off_is_listened_to_within_bounds(
    url, monkeypatch, bound, value, piece
):
    monkeypatch.setattr(f"service.protocol.{bound}", value)
    with connected(url) as (connection,):
        connection.sendall(TOO_LARGE)
        for _ in range(1_000):
            try:
                connection.sendall(piece or b"x")
            except ConnectionError:
                break
            time.sleep(0.01 if piece else 0.5)
        else:
            pytest.fail("it listens still")


PATH = "static/vendor/swagger-ui/swagger-ui-bundle.js"
LARGE = b"GET /%b HTTP/1.1\r\nHost: test\r\n\r\n" % PATH.encode()


@pytest.fixture
def impatient(models, monkeypatch) -> Iterator[str]:
    """Keeps next to nothing for a client that does not read, and not for long."""
    monkeypatch.setattr("service.protocol.TAKE_S", 1.0)
    with running(create_app(Settings(), models), small_buffers=True) as url:
        yield url


def unread(url: str) -> socket.socket:
    """A connection whose client has room for next to nothing."""
    address, connection = httpx.URL(url), socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.settimeout(30)
    connection.connect((address.host, address.port))
    return connection


def in_flight(url: str) -> float:
    (line,) = (
        line
        for line in httpx.get(f"{url}/metrics").text.splitlines()
        if line.startswith("undertone_requests_in_flight ")
    )
    return float(line.split()[1])


@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n"])
def test_who_takes_nothing_of_an_answer_is_not_waited_for(impatient, more):
    idle = in_flight(impatient)
    with contextlib.closing(unread(impatient)) as connection:
        connection.sendall(LARGE[:-2] + more + b"\r\n")
        for _ in range(300):
            if in_flight(impatient) > idle:
                break
            time.sleep(0.01)
        for _ in range(1_000):
            if in_flight(impatient) == idle:
                break
            time.sleep(0.02)
        assert in_flight(impatient) == idle
        taken = 0
        with contextlib.suppress(ConnectionError):
            while data := connection.recv(65_536):
                taken += len(data)
    assert taken < len(httpx.get(f"{impatient}/{PATH}").content)


def test_who_reads_slowly_gets_all_of_it(impatient):
    whole = httpx.get(f"{impatient}/{PATH}").content
    with contextlib.closing(unread(impatient)) as connection:
        connection.sendall(LARGE)
        answer, began = b"", time.monotonic()
        while not answer.endswith(whole[-1_000:]):
            more = connection.recv(32_768)
            assert more, "the connection was closed"
            answer += more
            if time.monotonic() - began < 3:
                time.sleep(0.05)


UPGRADE = (
    b"GET /stream HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (UPGRADE + b"Cookie: " + 9_000 * b"c" + b"\r\n\r\n", b"HTTP/1.1 431"),
        (UPGRADE + b"".join(b"X-%d: y\r\n" % n for n in range(140)) + b"\r\n", b"HTTP/1.1 431"),
        (UPGRADE.replace(b"stream", b"stream?x=" + 9_000 * b"y") + b"\r\n", b"HTTP/1.1 414"),
        (UPGRADE + b"Content-Length: 5\r\n\r\nhello", b""),
    ],
    ids=["cookie", "headers", "address", "body"],
)
def test_a_handshake_that_cannot_be_read_is_answered_and_over(url, request_, answer):
    with connected(url) as (connection,):
        connection.sendall(request_)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while more := connection.recv(65_536):
                received += more
        assert received.startswith(answer)


def answered(connection: socket.socket) -> tuple[bytes, dict[str, object]]:
    """The only answer of a connection: its head, and the problem in it."""
    answer = b""
    while more := connection.recv(65_536):
        answer += more
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, json.loads(body)


MUCH = 70_000


@pytest.mark.parametrize(
    "said",
    [
        HEADER + b"X: " + MUCH * b"y",
        HEADER + b"X: " + MUCH * b"y" + b"\r\n\r\n",
        HEADER + MUCH // 10 * b"X: yyyyy\r\n",
        HEADER + MUCH // 10 * b"X: yyyyyyyyy\r\n" + b"\r\n",
        b"GET /" + MUCH * b"y",
        b"GET /" + MUCH * b"y" + b" HTTP/1.1\r\nHost: test\r\n\r\n",
        b"GET /" + 30_000 * b"y" + b" HTTP/1.1\r\nX: " + 40_000 * b"y" + b"\r\n\r\n",
    ],
    ids=["line", "whole line", "lines", "whole lines", "address", "whole address", "both"],
)
def test_a_header_of_any_size_is_not_kept(url, said):
    with connected(url, said=said) as (connection,):
        head, problem = answered(connection)
    assert head.startswith(b"HTTP/1.1 431 ")
    assert b"content-type: application/problem+json" in head
    assert f"x-request-id: {problem['request_id']}".encode() in head
    assert problem["code"] == "header_too_large"
    assert problem["allowed"] == {"max_header_bytes": 65_536}


def test_who_goes_on_with_a_header_gets_the_answer_all_the_same(url):
    with connected(url, said=HEADER) as (connection,):
        for _ in range(200):
            connection.sendall(10_000 * b"X: yyyyy\r\n")
        head, problem = answered(connection)
    assert head.startswith(b"HTTP/1.1 431 ")
    assert problem["code"] == "header_too_large"


def test_a_large_header_is_heard(url):
    said = b"GET /healthz HTTP/1.1\r\nHost: test\r\nX: " + 65_000 * b"y" + b"\r\n\r\n"
    with connected(url) as (connection,):
        for _ in range(3):
            connection.sendall(said)
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("after", [b"5\r\nhello\r\n0\r\n", b"5;"], ids=["trailers", "a chunk"])
def test_what_stands_beside_a_body_is_not_kept_either(url, after):
    head = HEADER + b"Transfer-Encoding: chunked\r\n\r\n"
    more = 2_000 * b"X: yyyyy\r\n" if after.endswith(b"\n") else 20_000 * b"y"
    with connected(url, said=head + after) as (connection,):
        talked_at(connection, more, 200)


@pytest.mark.parametrize(
    "said",
    [b"FOO /models HTTP/1.1\r\n\r\n", HEADER + b"Content-Length: abc\r\n\r\n", b"\x16\x03\x01"],
)
def test_what_is_no_http_is_a_problem_like_any_other(url, said, caplog):
    with connected(url, said=said + bytes(100)) as (connection,):
        head, problem = answered(connection)
    assert head.startswith(b"HTTP/1.1 400 Bad Request")
    assert b"x-content-type-options: nosniff" in head
    assert problem["code"] == "malformed_request"
    assert "HTTP/1.1" in problem["detail"]


BODY = HEADER + b"Content-Length: 10\r\n\r\n" + 10 * b"x"
CHUNKED = HEADER + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "said",
    [
        CHUNKED + b"5\r\nhello\r\nno number\r\n",
        CHUNKED + b"zz\r\n",
        BODY + b"FOO / HTTP/1.1\r\n\r\n",
    ],
    ids=["later chunk", "first chunk", "more than its length"],
)
def test_a_body_that_is_not_what_it_says_is_answered_once(url, said):
    with connected(url, said=said) as (connection,):
        head, problem = answered(connection)
    assert head.startswith(b"HTTP/1.1 400 ")
    assert head.count(b"HTTP/1.1 ") == 1
    assert b"\r\ndate: " in head
    assert problem["code"] == "malformed_request"
    assert "body" in problem["detail"]


GET = b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n"


def test_a_few_requests_may_be_sent_at_once(url):
    with connected(url, said=10 * GET) as (connection,):
        answer = b""
        while answer.count(b'{"status":"ok"}') < 10:
            more = connection.recv(65_536)
            assert more, "the connection was closed"
            answer += more


def test_requests_without_end_are_not_kept(url):
    with connected(url) as (connection,), contextlib.suppress(ConnectionError):
        connection.sendall(100 * GET)
        answer = b""
        while more := connection.recv(65_536):
            answer += more
        assert answer.count(b'{"status":"ok"}') <= MAX_PIPELINED + 1


@pytest.mark.parametrize("pieces", [1, 2, 50])
def test_how_a_header_comes_does_not_matter_to_how_large_it_may_be(url, pieces):
    said = (
        b"GET /healthz HTTP/1.1\r\nHost: test\r\n"
        + 2_350 * (b"X-n: " + 23 * b"y" + b"\r\n")
        + b"\r\n"
    )
    size = -(-len(said) // pieces)
    with connected(url) as (connection,):
        for at in range(0, len(said), size):
            connection.sendall(said[at : at + size])
            time.sleep(0.002)
        head, problem = answered(connection)
    assert head.startswith(b"HTTP/1.1 431 ")
    assert problem["code"] == "header_too_large"


@pytest.mark.parametrize("word", [b"Upgrade: h2c", b"upgrade:h2c "])
@pytest.mark.parametrize("begun", [True, False])
def test_who_offers_http_2_is_answered_in_http_1(url, word, begun):
    """As curl --http2 and Java's HttpClient do, of every request; a body may hold anything."""
    body = hum_wav()
    offer = b"Connection: Upgrade, HTTP2-Settings\r\n" + word + b"\r\nHTTP2-Settings: AAEAAEAA\r\n"
    said = HEADER + offer + b"Content-Length: %d\r\n\r\n" % len(body)
    with connected(url) as (connection,):
        for _ in range(3):
            connection.sendall(said if begun else said + body)
            if begun:
                time.sleep(0.05)
                connection.sendall(body)
            head, _, found = connection.recv(65_536).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert json.loads(found)["label"]


def test_only_the_header_is_an_offer(url):
    body = hum_wav() + b"\r\nUpgrade: h2c\r\n"
    head = b"POST /predict HTTP/1.1\r\nHost: h2c\r\nContent-Type: audio/wav\r\n"
    with connected(url) as (connection,):
        for _ in range(2):
            connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("offer", [b"foo", b"TLS/1.0, HTTP/1.1", b"websocket/13"])
def test_no_protocol_that_is_offered_costs_a_body(url, offer):
    body = hum_wav()
    said = HEADER + b"Connection: Upgrade\r\nUpgrade: %b\r\n" % offer
    with connected(url) as (connection,):
        for _ in range(2):
            connection.sendall(said + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "more", [b"", GET, 3 * GET, HEADER + b"Content-Length: 9\r\n\r\nsomething"]
)
def test_work_hears_that_its_client_goes_whatever_else_that_asked_for(more):
    asked, gone = threading.Event(), threading.Event()
    app = FastAPI()

    @app.post("/predict")
    async def wait(request: Request) -> None:
        await request.body()
        asked.set()
        async with asyncio.timeout(20):
            if (await request.receive())["type"] == "http.disconnect":
                gone.set()

    with running(app) as url:
        with connected(url, said=HEADER + b"Content-Length: 9\r\n\r\nsomething" + more):
            assert asked.wait(30)
            assert not gone.wait(0.1)
        assert gone.wait(10), "it goes on for nobody"


def test_more_requests_than_wait_are_left_where_they_are():
    """They come one by one, while the first is at work: none is lost."""
    app, begun, free = FastAPI(), threading.Event(), threading.Event()

    @app.post("/predict")
    def wait() -> None:
        begun.set()
        assert free.wait(20)

    @app.get("/healthz")
    async def healthz() -> str:
        return "here"

    n_more = MAX_PIPELINED + 1
    with running(app) as url, connected(url, said=HEADER + b"Content-Length: 0\r\n\r\n") as (one,):
        assert begun.wait(20)
        for _ in range(n_more):
            one.sendall(GET)
            time.sleep(0.01)
        free.set()
        answer = b""
        while answer.count(b'"here"') < n_more:
            more = one.recv(65_536)
            assert more, "the connection was closed"
            answer += more


def test_what_follows_the_rest_of_a_refused_body_is_answered(url):
    with connected(url) as (connection,):
        connection.sendall(b"POST /nowhere HTTP/1.1\r\nHost: test\r\nContent-Length: 3000\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 404")
        for _ in range(3):
            connection.sendall(1_000 * b"x")
            time.sleep(0.05)
        connection.sendall(GET)
        assert connection.recv(65_536).endswith(b'{"status":"ok"}')


@pytest.mark.parametrize(
    ("bound", "value", "piece"),
    [("REST_S", 0.3, b"x"), ("REST_PAUSE_S", 0.3, b""), ("REST_BYTES", 2**20, bytes(2**16))],
)
def test_the_rest_of_a_body_is_bounded_where_requests_may_follow_it(
    url, monkeypatch, bound, value, piece
):
    monkeypatch.setattr("service.protocol.REST_PAUSE_S", 60.0)
    monkeypatch.setattr(f"service.protocol.{bound}", value)
    said = b"POST /nowhere HTTP/1.1\r\nHost: test\r\nContent-Length: 20000000\r\n\r\n"
    with connected(url, said=said) as (connection,):
        assert connection.recv(65_536).startswith(b"HTTP/1.1 404")
        connection.settimeout(5)
        for _ in range(100 if piece else 1):
            try:
                connection.sendall(piece or b"x")
                time.sleep(0.01)
            except ConnectionError:
                return
        with contextlib.suppress(ConnectionError):
            assert connection.recv(1) == b""
