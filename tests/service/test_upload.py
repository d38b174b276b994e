"""How an upload is received; a plain form is seen through at once, just as the parser would have it."""

import asyncio
import contextlib
import gc
import tracemalloc

import httpx
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.requests import Request

from service.errors import MalformedRequest
from service.upload import SHORT, Upload, files_of_form, read_upload

BOUNDARY = b"----x5"
PIECES = st.sampled_from(
    [
        *(b"--", b"\r\n", b"\r", b"\n", BOUNDARY, b"--" + BOUNDARY, b"RIFF"),
        *(b'"', b"; ", b":", b"=", b"\0", b"Content-Disposition", b"Content-Type"),
        *(b"form-data", b'name="file"', b'filename="a.wav"'),
    ]
)
PLAIN = b'Content-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav'


def form(head: bytes, content: bytes, end: bytes = b"--\r\n", boundary: bytes = BOUNDARY) -> bytes:
    return b"--%b\r\n%b\r\n\r\n%b\r\n--%b%b" % (boundary, head, content, boundary, end)


def parsed(body: bytes, boundary: bytes = BOUNDARY) -> bytes | None:
    """The file that the parser finds, if it finds one."""
    try:
        (file,) = files_of_form(bytearray(body), boundary)
        return file
    except MalformedRequest:
        return None


def at_once(body: bytes, boundary: bytes = BOUNDARY) -> bytes | None:
    found = Upload(bytearray(body), boundary).at_once()
    return None if found is None else bytes(found)


@pytest.mark.parametrize("name", ["clip.wav", "Straße 7.wav", "a'b;c=d.wav"])
def test_what_httpx_sends_is_plain(name):
    content = bytes(range(256)) * 4
    request = httpx.Request("POST", "http://test", files={"file": (name, content, "audio/wav")})
    boundary = request.headers["content-type"].split("boundary=")[1].encode()
    assert at_once(request.read(), boundary) == content


@given(st.lists(PIECES | st.binary(max_size=8), max_size=12).map(b"".join))
@example(b"")
@example(b"--" + BOUNDARY)
@example(b"\r\n--" + BOUNDARY)
@example(b"\r\n--" + BOUNDARY + b"\r\n" + PLAIN + b"\r\n\r\nmore")
def test_whatever_the_file_holds_the_parser_finds_the_same(content):
    body = form(PLAIN, content)
    found = at_once(body)
    assert found is None or found == parsed(body)
    if b"\r\n--" + BOUNDARY not in b"\r\n" + content:
        assert found == content


@given(
    st.lists(PIECES, max_size=8).map(b"".join) | st.just(PLAIN),
    st.sampled_from([b"--\r\n", b"--", b"", b"\r\n", b"--\r\nmore", b"-"]),
    st.booleans(),
)
def test_whatever_the_form_looks_like_the_parser_agrees_or_is_asked(head, end, preamble):
    body = (b"\r\n" if preamble else b"") + form(head, b"RIFF", end)
    found = at_once(body)
    assert found is None or found == parsed(body)


@pytest.mark.parametrize(
    "head",
    [
        PLAIN.replace(b"file", b"FILE", 1),
        PLAIN.replace(b'"file"', b'"clip"'),
        PLAIN.replace(b'"a.wav"', b'"a\\".wav"'),
        PLAIN + b"\r\nContent-Transfer-Encoding: base64",
        PLAIN.replace(b'; filename="a.wav"', b""),
    ],
)
def test_what_is_not_plain_is_left_to_the_parser(head):
    assert at_once(form(head, b"RIFF")) is None


def test_what_is_long_is_left_to_others():
    assert Upload(bytes(SHORT)).at_once() is not None
    assert Upload(bytes(SHORT + 1)).at_once() is None


def test_a_part_that_one_wav_file_fills_is_not_searched_for_another():
    content = b"\r\n--%b\r\n" % BOUNDARY
    content = b"RIFF" + len(content).to_bytes(4, "little") + content
    assert at_once(form(PLAIN, content)) == content
    assert at_once(form(PLAIN, content + b"-")) is None


@pytest.mark.parametrize("size", [SHORT // 2, 2 * SHORT])
def test_a_plain_form_is_not_copied_however_long(size):
    body = bytearray(form(PLAIN, bytes(size)))
    file = Upload(body, BOUNDARY).audio()
    assert file == bytes(size)
    assert np.shares_memory(np.frombuffer(file, np.uint8), np.frombuffer(body, np.uint8))


def received(*sizes: int) -> tuple[Upload, bytes, float]:
    """An upload that comes in messages of so many bytes, the last of them, and how many bytes of memory
    there were at most for each that had come."""
    number, last, most = 0, b"", 0.0

    async def receive():
        nonlocal number, last, most
        if number:
            taken, _ = tracemalloc.get_traced_memory()
            most = max(most, taken / sum(sizes[:number]))
        body = bytes([number]) * sizes[number]
        number += 1
        if number < len(sizes):
            return {"type": "http.request", "body": body, "more_body": True}
        last = body
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {"type": "http", "headers": [(b"content-type", b"audio/wav")]}
    tracemalloc.start()
    try:
        upload = asyncio.run(read_upload(Request(scope, receive)))
    finally:
        tracemalloc.stop()
    return upload, last, most


def test_a_clip_that_comes_at_once_is_not_copied():
    upload, message, _ = received(500_000)
    assert upload.body is message


@pytest.mark.parametrize("sizes", [(400_000, 400_000, 1), (1_200_000, 1_200_000, 1_200_000, 1)])
def test_what_came_lies_in_memory_once_while_more_is_waited_for(sizes):
    upload, _, most = received(*sizes)
    assert upload.body == b"".join(bytes([number]) * size for number, size in enumerate(sizes))
    assert most < 1.3


@pytest.mark.parametrize("end", [b"--\r\n", b""], ids=["whole", "cut off"])
def test_what_a_form_held_is_not_left_to_the_collector_of_garbage(end):
    body = bytearray(form(PLAIN, bytes(5_000_000), end))
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        with contextlib.suppress(MalformedRequest):
            assert len(files_of_form(body, BOUNDARY)[0]) == 5_000_000
        left, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert most > 5_000_000
    assert left < 100_000
