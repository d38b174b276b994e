"""Whatever is uploaded, the answer is a documented problem, never a 500."""

import struct

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.app import create_app
from service.models import Models
from service.problems import KINDS
from service.settings import Settings
from tests.support.servers import running
from tests.support.sounds import hum, hum_wav
from undertone import wav

SR = 16_000
PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)
NOT_FINITE = np.where(np.arange(SR) == 99, np.nan, hum(1))
ODD_RATE = wav.encode(hum(1), SR)[:24] + struct.pack("<I", 1_000_000) + hum_wav(1)[28:]

UPLOADS = {
    "empty": (b"", 400, "malformed_audio"),
    "text": (b"Dear service, how are you today?\n", 415, "unsupported_audio"),
    "a PNG named .wav": (PNG, 415, "unsupported_audio"),
    "cut in the header": (hum_wav()[:30], 400, "malformed_audio"),
    "cut in its first word": (b"RI", 400, "malformed_audio"),
    "20 ms": (hum_wav(0.02), 422, "too_short"),
    "digital silence": (wav.encode(np.zeros(SR), SR), 422, "no_speech"),
    "not a number": (wav.encode(NOT_FINITE, SR, "float32"), 422, "not_finite"),
    "an MP3": (b"ID3\x04\x00" + bytes(500), 415, "unsupported_audio"),
    "a rate not taken": (ODD_RATE, 415, "unsupported_audio"),
    "601 s": (wav.encode(np.ones(601 * 4_000), 4_000, "mulaw"), 413, "audio_too_long"),
}


@pytest.mark.parametrize("name", UPLOADS)
@pytest.mark.parametrize("form", [True, False], ids=["form", "raw"])
def test_bad_audio(client, name, form):
    data, status, code = UPLOADS[name]
    if form:
        response = client.post("/predict", files={"file": ("clip.wav", data, "audio/wav")})
    else:
        response = client.post("/predict", content=data, headers={"Content-Type": "audio/wav"})
    assert_problem(response, status, code)


FORM = {"Content-Type": "multipart/form-data; boundary=frontier"}


def part(disposition: str, data: bytes = b"data") -> bytes:
    return (
        b"--frontier\r\nContent-Disposition: " + disposition.encode() + b"\r\n\r\n" + data + b"\r\n"
    )


END = b"--frontier--\r\n"
FILE = 'form-data; name="file"; filename="clip.wav"'
REQUESTS = {
    "no boundary": ({"Content-Type": "multipart/form-data"}, b"", "boundary"),
    "an empty boundary": ({"Content-Type": "multipart/form-data; boundary="}, b"", "boundary"),
    "no parts": (FORM, END, ""),
    "no body": (FORM, b"", "cut off"),
    "not multipart at all": (FORM, b"hello", "cannot be read"),
    "another field": (FORM, part('form-data; name="audio"; filename="a.wav"') + END, "'file'"),
    "text in the field": (FORM, part('form-data; name="file"') + END, "-F file=@clip.wav"),
    "two files": (FORM, part(FILE) + part(FILE) + END, "more than one file"),
    "nine fields": (FORM, 9 * part('form-data; name="note"') + part(FILE) + END, "8 fields"),
    "a part without a name": (FORM, part("form-data") + END, "name"),
    "cut off": (FORM, part(FILE), "cut off"),
    "cut off in a header": (FORM, part(FILE)[:40], "cut off"),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_bad_forms(client, name):
    headers, body, said = REQUESTS[name]
    problem = assert_problem(
        client.post("/predict", content=body, headers=headers), 400, "malformed_request"
    )
    assert said in problem["detail"]


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/x-www-form-urlencoded", "text/plain"]
)
def test_bodies_of_another_type(client, content_type):
    response = client.post("/predict", content=hum_wav(), headers={"Content-Type": content_type})
    problem = assert_problem(response, 415, "unsupported_media_type")
    assert problem["received"] == {"content_type": content_type}
    assert "audio/wav" in problem["allowed"]["content_type"]


def test_file_names_are_not_repeated(client):
    response = client.post("/predict", files={"file": ("my-secret.wav", b"nothing")})
    assert "my-secret" not in response.text


@pytest.fixture(scope="module")
def small(models: Models):
    """Takes 2 s at most, so that what hypothesis makes of a header stays cheap."""
    app = create_app(Settings(max_duration_s=2), models)
    with running(app) as url, httpx.Client(base_url=url) as client:
        yield client


@settings(max_examples=60, deadline=None)
@given(
    position=st.integers(0, 60), junk=st.binary(min_size=1, max_size=8), keep=st.integers(0, 4_000)
)
def test_damaged_files_are_answered_or_refused(small, position, junk, keep):
    data = bytearray(hum_wav(0.2))
    data[position : position + len(junk)] = junk
    response = small.post(
        "/predict", content=bytes(data[:keep]), headers={"Content-Type": "audio/wav"}
    )
    if response.status_code != 200:
        assert 400 <= response.status_code < 500
        assert_problem(response, response.status_code, response.json()["code"])


@settings(max_examples=60, deadline=None)
@given(
    boundary=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=80),
    body=st.binary(max_size=300),
)
def test_damaged_forms_are_refused(small, boundary, body):
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    response = small.post("/predict", content=body, headers=headers)
    assert_problem(response, 400, "malformed_request")


def assert_problem(response: httpx.Response, status: int, code: str) -> dict:
    problem = response.json()
    assert (response.status_code, problem["code"]) == (status, code), problem
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["title"] == KINDS[code].title
    assert problem["type"] == f"/problems#{code}"
    assert problem["request_id"] == response.headers["x-request-id"]
    assert problem["detail"].endswith((".", "wav"))
    return problem
