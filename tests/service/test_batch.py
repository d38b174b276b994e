import httpx
import numpy as np
import pytest

from service.app import create_app
from service.settings import Settings
from service.upload import MAX_FILES
from tests.support.servers import running
from tests.support.sounds import hum, hum_wav
from undertone import wav


def post(client: httpx.Client, *files: bytes, **params: object) -> httpx.Response:
    form = [("file", (f"{number}.wav", data)) for number, data in enumerate(files)]
    return client.post("/predict/batch", files=form, params=params)


def test_each_file_gets_its_answer_in_order(client):
    clips = [hum_wav(seconds=1 + n / 3, pitch=100 + 31 * n) for n in range(7)]
    response = post(client, *clips, top_k=3)
    reply = response.json()
    assert response.status_code == 200
    assert reply["request_id"] == response.headers["x-request-id"]
    assert [each["file"] for each in reply["results"]] == list(range(7))
    for clip, result in zip(clips, reply["results"], strict=True):
        alone = client.post("/predict", files={"file": clip}, params={"top_k": 3}).json()
        assert result["problem"] is None
        assert set(result["prediction"]) == set(alone)
        scores, others = (
            {each["label"]: each["score"] for each in answer["probabilities"]}
            for answer in (result["prediction"], alone)
        )
        assert scores == pytest.approx(others, abs=1e-5)
        assert result["prediction"]["audio"] == alone["audio"]


def test_a_file_that_cannot_be_heard_keeps_no_other_from_it(client):
    files = [hum_wav(), b"RIFF", b"\x89PNG" + bytes(99), wav.encode(np.zeros(9_000), 16_000)]
    reply = post(client, *files, hum_wav(), segments=True).json()
    codes = [each["problem"] and each["problem"]["code"] for each in reply["results"]]
    assert codes == [None, "malformed_audio", "unsupported_audio", "no_speech", None]
    for result in reply["results"]:
        assert (result["prediction"] is None) != (result["problem"] is None)
        if result["prediction"]:
            assert result["prediction"]["segments"]
            assert result["prediction"]["request_id"] == reply["request_id"]
        else:
            alone = client.post("/predict", files={"file": files[result["file"]]}).json()
            assert result["problem"] == {**alone, "request_id": reply["request_id"]}


def test_channels_can_be_split(client):
    data = wav.encode(np.stack([hum(), np.zeros_like(hum())], axis=1), 16_000)
    (result,) = post(client, data, channels="split").json()["results"]
    assert [each["reason"] for each in result["prediction"]["channels"]] == [None, "no_speech"]


def test_as_many_files_as_are_allowed_and_not_one_more(client):
    clip = hum_wav(seconds=0.2)
    assert len(post(client, *[clip] * MAX_FILES).json()["results"]) == MAX_FILES
    response = post(client, *[clip] * (MAX_FILES + 1))
    assert response.status_code == 400
    assert response.json()["code"] == "malformed_request"
    assert str(MAX_FILES) in response.json()["detail"]


def test_together_they_are_as_large_as_one_may_be(models):
    clip = hum_wav(seconds=1)
    app = create_app(Settings(max_upload_bytes=4 * len(clip)), models)
    with running(app) as url, httpx.Client(base_url=url) as client:
        assert post(client, *[clip] * 4).status_code == 200
        response = post(client, *[clip] * 5)
    assert response.status_code == 413
    assert response.json()["code"] == "audio_too_large"


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"content": hum_wav(), "headers": {"Content-Type": "audio/wav"}}, 415, None),
        ({"content": hum_wav()}, 415, None),
        ({"files": [("sound", ("a.wav", hum_wav()))]}, 400, "malformed_request"),
        (
            {"files": [("file", ("a.wav", hum_wav())), ("sound", ("a.wav", hum_wav()))]},
            400,
            "malformed_request",
        ),
        ({"files": {"file": hum_wav()}, "data": {"top_k": "1"}}, 400, "malformed_request"),
        ({"files": {"file": hum_wav()}, "params": {"model": "x"}}, 404, "model_not_found"),
        ({"files": {"file": hum_wav()}, "params": {"top_k": 99}}, 422, "invalid_request"),
    ],
)
def test_what_is_no_batch_is_refused(client, request_, status, code):
    response = client.post("/predict/batch", **request_)
    assert response.status_code == status
    assert response.json()["code"] == (code or "unsupported_media_type")


def test_nothing_of_it_is_written_to_disk(models, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with (
        running(create_app(Settings(), models)) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        reply = post(client, hum_wav(seconds=100), hum_wav(seconds=100)).json()
    assert all(each["prediction"] for each in reply["results"])
