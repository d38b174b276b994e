"""Valid uploads, damaged at random: answered, or refused with a problem that names what is wrong."""

from hypothesis import given, settings
from hypothesis import strategies as st

from service.problems import KINDS
from tests.hostile.upload import PLAIN, VOICE
from undertone import wav

SHORT = wav.encode(VOICE[4_000:8_000], 16_000)
RAW = {"Content-Type": "audio/wav"}


def assert_answered(response) -> None:
    reply = response.json()
    if response.status_code != 200:
        assert 400 <= response.status_code < 500, reply
        assert response.status_code == KINDS[reply["code"]].status
        assert response.headers["content-type"] == "application/problem+json"


@settings(max_examples=100)
@given(
    position=st.integers(0, 60), junk=st.binary(min_size=1, max_size=8), keep=st.integers(0, 9_000)
)
def test_damaged_files(client, position, junk, keep):
    data = bytearray(SHORT)
    data[position : position + len(junk)] = junk
    assert_answered(client.post("/predict", content=bytes(data[:keep]), headers=RAW))


@settings(max_examples=100)
@given(
    position=st.integers(0, 200),
    junk=st.binary(max_size=8) | st.sampled_from([b"\r\n", b"--frontier", b'"', b";", b"\0"]),
    removed=st.integers(0, 20),
)
def test_damaged_forms(client, position, junk, removed):
    head = b'--frontier\r\nContent-Disposition: form-data; name="file"; filename="clip.wav"\r\n\r\n'
    body = bytearray(head + PLAIN + b"\r\n--frontier--\r\n")
    position = position if position < 120 else len(body) - position + 120
    body[position : position + removed] = junk
    headers = {"Content-Type": "multipart/form-data; boundary=frontier"}
    assert_answered(client.post("/predict", content=bytes(body), headers=headers))


@settings(max_examples=60)
@given(
    boundary=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=80),
    body=st.binary(max_size=300),
)
def test_forms_of_nothing(client, boundary, body):
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    response = client.post("/predict", content=body, headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "malformed_request")
