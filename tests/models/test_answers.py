"""What the shipped model answers, over HTTP, on recordings of people; nothing of it is a mock."""

import json
import math
from pathlib import Path

import httpx
import numpy as np
import pytest
import scipy.signal
import soundfile

from service.app import create_app
from service.settings import Settings
from tests.support.servers import running
from training import corpora, predictions
from undertone import audio, load, wav
from undertone.bundle import find, open_bundle, read_manifest
from undertone.features import extract_all
from undertone.spec import Centre

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "models" / "undertone-ravdess-2"


@pytest.fixture(scope="module")
def service():
    with (
        running(create_app(Settings(models=SHIPPED))) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield client


def heard(client, data, **query):
    reply = client.post(
        "/predict", content=data, headers={"Content-Type": "audio/wav"}, params=query
    )
    assert reply.status_code == 200, reply.text
    return {each["label"]: each["score"] for each in reply.json()["probabilities"]}


def furthest(one, other):
    return max(abs(one[label] - other[label]) for label in one)


def likeliest(scores):
    return max(scores, key=scores.__getitem__)


def test_the_example_in_the_documentation_is_what_is_answered(service, hello):
    example = json.loads((ROOT / "service" / "static" / "example.json").read_text())
    reply = service.post("/predict", files={"file": hello.read_bytes()}).json()
    for part in ("label", "audio", "model", "warnings"):
        assert reply[part] == example[part]
    assert reply["sentiment"]["label"] == example["sentiment"]["label"]
    documented = {each["label"]: each["score"] for each in example["probabilities"]}
    assert furthest(documented, {e["label"]: e["score"] for e in reply["probabilities"]}) < 1e-3


@pytest.mark.parametrize("offset", [-0.05, 0.1])
def test_an_offset_of_the_microphone_changes_no_answer(service, hello, offset):
    samples, sr = soundfile.read(hello, dtype="float32", always_2d=True)
    quiet = samples / 4
    expected = heard(service, wav.encode(quiet, sr))
    assert furthest(heard(service, wav.encode(quiet + offset, sr)), expected) < 0.01


@pytest.fixture(scope="module")
def originals(recordings):
    paths = sorted((recordings / "originals" / "ravdess").glob("*.wav"))
    assert len(paths) == 20
    return paths


@pytest.mark.recordings
def test_every_original_gets_eight_probabilities(service, originals):
    for path in originals:
        scores = heard(service, path.read_bytes())
        assert len(scores) == 8
        assert math.isclose(sum(scores.values()), 1, abs_tol=1e-6)
        assert all(0 <= score <= 1 for score in scores.values())


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("encoding", "tolerance"), [("pcm_s24", 0.01), ("pcm_s32", 0.01), ("float32", 0.01)]
)
def test_a_wider_encoding_changes_nothing(service, originals, encoding, tolerance):
    for path in originals:
        samples, sr = soundfile.read(path, dtype="float32", always_2d=True)
        again = wav.encode(samples, sr, encoding)
        assert furthest(heard(service, path.read_bytes()), heard(service, again)) < tolerance


@pytest.mark.recordings
def test_the_rate_of_the_file_hardly_matters(service, originals):
    for path in originals:
        samples, sr = soundfile.read(path, dtype="float32", always_2d=True)
        # Not by the resampler of the service: somebody else made that file.
        again = wav.encode(scipy.signal.resample_poly(samples, 16_000, sr), 16_000)
        assert furthest(heard(service, path.read_bytes()), heard(service, again)) < 0.05


@pytest.mark.recordings
@pytest.mark.parametrize("encoding", ["mulaw", "alaw"])
def test_a_telephone_encoding_keeps_the_emotion(service, originals, encoding):
    same = 0
    for path in originals:
        samples, sr = soundfile.read(path, dtype="float32", always_2d=True)
        again = heard(service, wav.encode(samples, sr, encoding))
        same += likeliest(heard(service, path.read_bytes())) == likeliest(again)
    assert same >= 18


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("name", "corpus"),
    [
        ("undertone-ravdess", "ravdess"),
        ("undertone-ravdess-2", "ravdess"),
        ("undertone-tess", "tess"),
    ],
)
def test_what_was_trained_before_offsets_were_taken_away_hears_no_difference(
    recordings, name, corpus
):
    evidence = ROOT / "models" / name / "crossval"
    (fold,) = evidence.glob("fold-*")
    model = load(fold)
    as_shipped = read_manifest(evidence.parent).spec
    assert as_shipped.preprocess == (Centre(), *model.spec.preprocess)
    table = predictions.read(evidence / "predictions.csv")
    tested = table.of_seed(table.seeds[0]).of_fold(fold.name.removeprefix("fold-"))
    clips = {clip.name: clip.path for clip in corpora.read(corpus, recordings)}
    sounds = [audio.read(clips[file], model.spec.sr).samples for file in tested.file]
    found = model.engine.infer(extract_all(sounds, as_shipped))
    assert np.mean(found.argmax(axis=1) != tested.probabilities.argmax(axis=1)) < 1 / 300
    assert np.median(abs(found - tested.probabilities).max(axis=1)) < 1e-3


@pytest.mark.recordings
def test_what_the_shipped_model_says_of_tess_is_what_was_written_down(recordings):
    model = load(SHIPPED)
    table = predictions.read(SHIPPED / "elsewhere" / "tess.csv")
    clips = {clip.name: clip.path for clip in corpora.read("tess", recordings)}
    for index in range(0, len(table), 70):
        answer = model.predict(clips[table.file[index]])
        scores = {each.label: each.score for each in answer.probabilities}
        for label, expected in zip(table.emotions, table.probabilities[index], strict=True):
            assert scores[label] == pytest.approx(expected, abs=1e-3)


@pytest.mark.recordings
def test_service_and_training_agree(recordings):
    """Test clips of fold 1, posted to a service with the model of fold 1, against the committed CSV."""
    evidence = SHIPPED / "crossval"
    table = predictions.read(evidence / "predictions.csv")
    table = table.of_seed(table.seeds[0]).of_fold("1")
    clips = {clip.name: clip.path for clip in corpora.read("ravdess", recordings)}
    with (
        running(create_app(Settings(models=evidence / "fold-1"))) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        chosen = np.random.default_rng(0).permutation(len(table))[:50]
        for index in chosen:
            samples, sr = soundfile.read(clips[table.file[index]], dtype="int16", always_2d=True)
            again = wav.encode(samples / np.float32(2**15), sr)
            scores = heard(client, again)
            for label, expected in zip(table.emotions, table.probabilities[index], strict=True):
                assert scores[label] == pytest.approx(expected, abs=1e-4)


@pytest.fixture(scope="module")
def everything():
    """A service that has every model of the repository."""
    settings = Settings(models=ROOT / "models", default_model=SHIPPED.name)
    with (
        running(create_app(settings)) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield client


MODELS = [open_bundle(path).manifest for path in find(ROOT / "models")]

each_model = pytest.mark.parametrize("manifest", MODELS, ids=lambda manifest: manifest.name)


@each_model
def test_every_model_answers_by_its_name_with_its_own_labels(everything, manifest, hello):
    assert set(heard(everything, hello.read_bytes(), model=manifest.name)) == set(manifest.emotions)
    assert everything.get(f"/models/{manifest.name}").json()["loaded"]


@pytest.mark.recordings
@each_model
@pytest.mark.parametrize("corpus", ["ravdess", "tess"])
def test_every_model_answers_clips_of_either_corpus(everything, recordings, corpus, manifest):
    paths = sorted((recordings / "originals" / corpus).glob("*.wav"))[::4]
    assert paths
    for path in paths:
        scores = heard(everything, path.read_bytes(), model=manifest.name)
        assert set(scores) == set(manifest.emotions)
        assert math.isclose(sum(scores.values()), 1, abs_tol=1e-6)
