"""Talks to the service through bare sockets where it matters what was sent when."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from service.app import create_app
from service.models import Models
from service.settings import Settings
from tests.support.servers import running
from tests.support.sounds import hum_wav

MAX_BYTES = 50_000
WAV = {"Content-Type": "audio/wav"}


@pytest.fixture(scope="module")
def url(models: Models) -> Iterator[str]:
    app = create_app(Settings(max_upload_bytes=MAX_BYTES, max_requests=1), models)
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


def test_further_requests_are_turned_away_until_one_is_done(url):
    data = hum_wav()
    headers = ("Expect: 100-continue", f"Content-Length: {len(data)}")
    with opened(url, *headers) as first:
        assert first.recv(100).startswith(b"HTTP/1.1 100"), "the first is let in"
        second = httpx.post(f"{url}/predict", content=data, headers=WAV)
        assert second.status_code == 503
        assert second.json()["code"] == "overloaded"
        assert second.headers["retry-after"] == "1"
        assert httpx.get(f"{url}/readyz").status_code == 200, "reading is always possible"
        first.sendall(data)
        assert first.recv(100).startswith(b"HTTP/1.1 200")
    assert httpx.post(f"{url}/predict", content=data, headers=WAV).status_code == 200


def test_a_client_that_goes_away_gives_its_place_back(url):
    with opened(url, "Expect: 100-continue", "Content-Length: 1000") as gone:
        assert gone.recv(100).startswith(b"HTTP/1.1 100")
    with opened(url, "Expect: 100-continue", "Content-Length: 1000") as stalled:
        stalled.recv(100)
    for _ in range(200):  # the service learns of it a moment later
        response = httpx.post(f"{url}/predict", content=hum_wav(), headers=WAV)
        if response.status_code == 200:
            return
    pytest.fail("the place was not given back")


def test_an_upload_that_stops_is_given_up(url, monkeypatch):
    monkeypatch.setattr("service.upload.STALLED_S", 0.05)
    with opened(url, "Content-Length: 1000") as connection:
        connection.sendall(b"RIFF")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 408")
