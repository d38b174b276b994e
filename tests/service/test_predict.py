import gzip
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

import undertone
from service.app import create_app
from service.models import Models
from service.settings import Settings
from service.upload import PARAMETERS
from tests.support.servers import running
from tests.support.sounds import hum, hum_wav
from undertone import wav
from undertone.emotions import RAVDESS, SENTIMENT


def post(client: httpx.Client, data: bytes, **params: object) -> httpx.Response:
    return client.post("/predict", files={"file": ("clip.wav", data)}, params=params)


def test_the_reply_holds_all_that_was_promised(client, hello: Path):
    response = post(client, hello.read_bytes())
    reply = response.json()
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert list(reply) == [
        *("label", "score", "probabilities", "sentiment", "audio", "model", "warnings"),
        *("request_id", "timing_ms"),
    ]
    scores = [each["score"] for each in reply["probabilities"]]
    assert abs(sum(scores) - 1) < 1e-6
    assert scores == sorted(scores, reverse=True)
    assert {each["label"] for each in reply["probabilities"]} == set(RAVDESS)
    assert (reply["label"], reply["score"]) == (reply["probabilities"][0]["label"], scores[0])
    assert reply["audio"]["sample_rate"] == 22_050
    assert reply["audio"]["channels"] == 1
    assert reply["audio"]["encoding"] == "pcm_s16"
    assert reply["audio"]["duration_s"] == pytest.approx(3.1, abs=0.1)
    assert reply["model"] == {"name": "undertone-ravdess-2", "version": "0.0.1"}
    assert reply["warnings"] == []
    assert reply["request_id"] == response.headers["x-request-id"]
    assert set(reply["timing_ms"]) == {"decode", "features", "inference", "total"}
    assert all(value > 0 for value in reply["timing_ms"].values())


def test_the_sentiment_is_the_sum_of_its_emotions(client):
    reply = post(client, hum_wav()).json()
    totals = dict.fromkeys(("positive", "neutral", "negative"), 0.0)
    for each in reply["probabilities"]:
        totals[SENTIMENT[each["label"]]] += each["score"]
    assert reply["sentiment"]["label"] == max(totals, key=totals.get)
    assert reply["sentiment"]["score"] == pytest.approx(max(totals.values()))


def test_the_service_and_the_library_agree(client, bundle, hello: Path):
    expected = undertone.load(bundle).predict(hello)
    reply = post(client, hello.read_bytes()).json()
    assert [each["label"] for each in reply["probabilities"]] == [
        each.label for each in expected.probabilities
    ]
    assert [each["score"] for each in reply["probabilities"]] == pytest.approx(
        [each.score for each in expected.probabilities], abs=1e-6
    )


@pytest.mark.parametrize(
    "content_type", ["audio/wav", "audio/x-wav", "Audio/WAV; codec=1", "application/octet-stream"]
)
def test_a_raw_body_is_answered_like_a_form(client, content_type):
    data = hum_wav()
    raw = client.post("/predict", content=data, headers={"Content-Type": content_type})
    assert raw.status_code == 200
    assert raw.json()["probabilities"] == post(client, data).json()["probabilities"]


def test_a_stereo_file_is_mixed_down(client):
    mono = hum()
    stereo = np.stack([mono * 1.5, mono * 0.5], axis=1)
    reply = post(client, wav.encode(stereo, 16_000, "float32")).json()
    assert reply["audio"]["channels"] == 2
    expected = post(client, wav.encode(mono, 16_000, "float32")).json()["probabilities"]
    for got, wanted in zip(reply["probabilities"], expected, strict=True):
        assert got["label"] == wanted["label"]
        assert got["score"] == pytest.approx(wanted["score"], abs=1e-5)


def test_a_warning_reaches_the_caller(client):
    reply = post(client, wav.encode(np.sign(hum()), 16_000)).json()
    assert [each["code"] for each in reply["warnings"]] == ["clipped"]
    assert "full scale" in reply["warnings"][0]["detail"]


def test_top_k_lists_the_likeliest_only(client):
    every = post(client, hum_wav()).json()
    two = post(client, hum_wav(), top_k=2).json()
    assert two["probabilities"] == every["probabilities"][:2]
    assert two["sentiment"] == every["sentiment"]


@pytest.mark.parametrize("top_k", [0, -1, 9, "many"])
def test_top_k_out_of_range_is_refused(client, top_k):
    response = post(client, hum_wav(), top_k=top_k)
    problem = response.json()
    assert response.status_code == 422
    assert problem["code"] == "invalid_request"
    assert "top_k" in problem["detail"]
    assert str(problem["received"]["top_k"]) == str(top_k)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("channels", "foo", ["mix", "split"]),
        ("segments", "maybe", [True, False]),
        ("top_k", "abc", "a whole number from 1 on"),
    ],
)
def test_what_a_parameter_may_be_is_told(client, name, value, allowed):
    problem = post(client, hum_wav(), **{name: value}).json()
    assert problem["received"] == {name: value}
    assert problem["allowed"] == {name: allowed}


def test_a_model_can_be_named(client):
    assert post(client, hum_wav(), model="undertone-ravdess-2").status_code == 200


def test_an_unknown_model_is_refused_with_those_known(client):
    response = post(client, hum_wav(), model="hal-9000")
    assert response.status_code == 404
    assert response.json()["code"] == "model_not_found"
    assert response.json()["received"] == {"model": "hal-9000"}
    assert response.json()["allowed"] == {"model": ["undertone-ravdess-2"]}


def test_requests_at_once_get_the_same_answers_as_one_by_one(client):
    clips = [hum_wav(seconds=1 + i / 4, pitch=100 + 13 * i) for i in range(24)]

    def scores(data: bytes) -> list[float]:
        reply = post(client, data).json()
        by_label = {each["label"]: each["score"] for each in reply["probabilities"]}
        return [by_label[label] for label in RAVDESS]

    one_by_one = [scores(clip) for clip in clips]
    with ThreadPoolExecutor(12) as pool:
        at_once = list(pool.map(scores, clips))
    np.testing.assert_allclose(at_once, one_by_one, rtol=0, atol=1e-5)
    assert np.ptp(one_by_one, axis=0).max() > 1e-3, "the clips should differ"


def test_a_long_recording_is_heard_in_windows(client):
    reply = post(client, hum_wav(seconds=40)).json()
    assert reply["audio"]["duration_s"] == 40
    assert sum(each["score"] for each in reply["probabilities"]) == pytest.approx(1, abs=1e-6)


def test_segments_tell_the_emotion_over_time(client, hello: Path):
    plain = post(client, hello.read_bytes()).json()
    assert not {"segments", "channels"} & set(plain)
    reply = post(client, hello.read_bytes(), segments=True).json()
    assert [(each["start"], each["end"]) for each in reply["segments"]] == [
        *((0, end / 2) for end in range(1, 7)),
        (pytest.approx(0.125, abs=1e-3), pytest.approx(3.125, abs=1e-3)),
    ]
    for each in reply["segments"]:
        assert set(each) == {"start", "end", "label", "score", "probabilities", "reason"}
        assert (each["label"], each["score"]) == tuple(each["probabilities"][0].values())
        assert len(each["probabilities"]) == 8
        assert each["reason"] is None
    assert_close(reply, plain, 1e-6)
    (first, *_) = post(client, hello.read_bytes(), segments=True, top_k=3).json()["segments"]
    assert first["probabilities"] == reply["segments"][0]["probabilities"][:3]


def test_segments_change_nothing_about_a_long_recording(client):
    sound = np.concatenate([hum(9, pitch=110), np.zeros(80_000), hum(9, pitch=300)])
    data = wav.encode(sound, 16_000)
    reply = post(client, data, segments=True).json()
    assert_close(reply, post(client, data).json(), 1e-6)
    silent = [each for each in reply["segments"] if each["reason"]]
    assert [(each["start"], each["end"]) for each in silent] == [
        (start / 2, start / 2 + 3) for start in range(18, 23)
    ]
    for each in silent:
        assert (each["label"], each["score"], each["probabilities"]) == (None, None, None)
        assert each["reason"] == "no_speech"


def test_each_channel_is_heard_for_itself(client):
    agent, caller = hum(8, pitch=110), hum(8, pitch=330)
    data = wav.encode(np.stack([agent, caller, np.zeros_like(agent)], axis=1), 16_000)
    reply = post(client, data, channels="split", segments=True).json()
    first, second, silent = reply["channels"]
    for channel, sound in ((first, agent), (second, caller)):
        alone = post(client, wav.encode(sound, 16_000), segments=True).json()
        assert_close(channel, alone, 1e-5)
        assert len(channel["segments"]) == len(alone["segments"])
        assert set(channel) == {
            *("label", "score", "probabilities", "sentiment", "warnings", "reason", "segments"),
        }
    assert {key: silent[key] for key in ("label", "score", "probabilities", "sentiment")} == {
        "label": None,
        "score": None,
        "probabilities": None,
        "sentiment": None,
    }
    assert silent["reason"] == "no_speech"
    assert_close(reply, post(client, data).json(), 1e-6)


def test_other_channels_are_refused(client):
    response = post(client, hum_wav(), channels="left")
    assert response.status_code == 422
    assert response.json()["received"] == {"channels": "left"}


def assert_close(one: dict, other: dict, tolerance: float) -> None:
    scores, others = (
        {each["label"]: each["score"] for each in reply["probabilities"]} for reply in (one, other)
    )
    assert scores == pytest.approx(others, abs=tolerance)


def test_nothing_of_a_request_is_written_to_disk(models: Models, tmp_path, monkeypatch):
    """A large upload would be spooled to the folder for temporary files; there is none here."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with running(create_app(Settings(), models)) as url:
        files = {"file": ("clip.wav", hum_wav(seconds=120))}
        assert httpx.post(f"{url}/predict", files=files, timeout=60).status_code == 200


@pytest.mark.parametrize("name", ["model", "top_k", "segments", "channels"])
def test_a_parameter_in_the_form_is_not_passed_over(client, name):
    response = client.post("/predict", files={"file": hum_wav()}, data={name: "1"})
    problem = response.json()
    assert (response.status_code, problem["code"]) == (400, "malformed_request")
    assert f"?{name}=" in problem["detail"]
    assert problem["received"] == {"fields": [name]}


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_a_parameter_that_is_none_is_refused_with_those_there_are(client, path):
    response = client.post(path, files={"file": hum_wav()}, params={"topk": 2, "model": "x"})
    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, "invalid_request")
    assert "no parameter 'topk'" in problem["detail"]
    assert problem["received"] == {"parameters": ["topk"]}
    assert problem["allowed"] == {"parameters": sorted(PARAMETERS)}


def test_every_parameter_would_be_missed_in_a_form(client):
    paths = client.get("/openapi.json").json()["paths"]
    for path in ("/predict", "/predict/batch"):
        assert {each["name"] for each in paths[path]["post"]["parameters"]} == PARAMETERS


def test_several_files_are_told_where_they_are_taken(client):
    two = [("file", hum_wav()), ("file", hum_wav())]
    assert "/predict/batch" in client.post("/predict", files=two).json()["detail"]


@pytest.mark.parametrize("encoding", ["", "identity", "Identity"])
def test_a_body_that_says_it_is_not_compressed_is_heard(client, encoding):
    headers = {"Content-Encoding": encoding, "Content-Type": "audio/wav"}
    assert client.post("/predict", content=hum_wav(), headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_a_body_that_is_compressed_is_refused_by_its_name(client, path):
    request = client.build_request("POST", path, files={"file": gzip.compress(hum_wav())})
    request.headers["Content-Encoding"] = "gzip"
    response = client.send(request)
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")
    assert response.json()["received"] == {"content_encoding": "gzip"}
