"""Whatever is uploaded, the answer is right, or a documented problem; never a 500."""

from collections.abc import Callable
from functools import cache

import pytest

from service.models import Models
from service.problems import KINDS
from tests.hostile import containers, forms, headers, sounds
from tests.hostile.upload import Upload
from undertone.bundle import Manifest
from undertone.prediction import DOUBT

CORPUS = {
    f"{module.__name__.rpartition('.')[2]}: {title}": upload
    for module in (containers, headers, sounds, forms)
    for title, upload in module.UPLOADS.items()
}


def scores(reply: dict) -> dict[str, float]:
    return {each["label"]: each["score"] for each in reply["probabilities"]}


def assert_warned(reply: dict, expected: tuple[str, ...], model: Manifest) -> None:
    """Of what was wrong with the upload, and then of the answer, where the model doubts its own."""
    doubts = model.abstention_threshold is not None and reply["score"] < model.abstention_threshold
    own = (DOUBT,) if doubts and DOUBT not in expected else ()
    assert tuple(warning["code"] for warning in reply["warnings"]) == expected + own


@pytest.fixture(scope="module")
def model(shipped: Models) -> Manifest:
    return shipped.manifests[shipped.default]


@pytest.fixture(scope="module")
def answer_to(client, model) -> Callable[[bytes], dict[str, float]]:
    """What a file that nothing is wrong with is answered; each is asked for once."""

    @cache
    def ask(data: bytes) -> dict[str, float]:
        response = client.post("/predict", content=data, headers={"Content-Type": "audio/wav"})
        assert response.status_code == 200
        assert_warned(response.json(), (), model)
        return scores(response.json())

    return ask


def test_the_corpus_is_large_enough():
    assert len(CORPUS) >= 300
    assert sum(upload.status == 200 for upload in CORPUS.values()) >= 80


@pytest.mark.parametrize("title", CORPUS)
def test_every_upload_is_answered_as_it_should_be(client, model, answer_to, title):
    upload = CORPUS[title]
    response = client.post(
        "/predict", content=upload.data, headers=upload.headers, params=upload.query
    )
    reply = response.json()
    if upload.code:
        assert (response.status_code, reply.get("code")) == (upload.status, upload.code), reply
        assert_problem(response, upload)
        return
    assert response.status_code == 200, reply
    assert_warned(reply, upload.warnings, model)
    found = scores(reply)
    assert sum(found.values()) == pytest.approx(1, abs=1e-6)
    if upload.within is not None:
        assert found == pytest.approx(answer_to(upload.like), abs=upload.within)


@pytest.mark.parametrize("title", containers.NAMES)
def test_what_is_no_wav_is_called_by_its_name(client, title):
    data = containers.UPLOADS[title].data
    response = client.post("/predict", files={"file": ("clip.wav", data, "audio/wav")})
    assert response.status_code == 415
    assert containers.NAMES[title].lower() in response.json()["detail"].lower()


def assert_problem(response, upload: Upload) -> None:
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["status"] == response.status_code
    assert problem["title"] == KINDS[problem["code"]].title
    assert problem["type"] == f"/problems#{problem['code']}"
    assert problem["request_id"] == response.headers["x-request-id"]
    assert len(problem["detail"]) > 20
    assert len(response.content) < 4_000, "what was sent is not sent back"
