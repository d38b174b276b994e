"""Features for other tools: every side, with labels."""

import json

import numpy as np
import pytest

from tests.support.commands import undertone_train
from tests.support.ravdess import write_ravdess
from training import recipe
from undertone import audio
from undertone.emotions import RAVDESS
from undertone.features import extract


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    write_ravdess(root / "ravdess", seconds=0.3)
    return root


@pytest.mark.parametrize("name", ["ravdess-lstm", "tess-lstm256-dense"])
def test_features_as_npz_are_those_that_the_service_takes(data, tmp_path, name):
    target = tmp_path / "new" / "features.npz"
    settings = [
        "--set",
        'corpora=["ravdess"]',
        "--set",
        'emotions=["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"]',
    ]
    undertone_train(
        "features",
        name,
        "--data",
        data,
        "--out",
        target,
        "--fold",
        "2",
        "--cache",
        tmp_path / "cache",
        *settings,
    )
    spec = recipe.load(name).spec
    with np.load(target, allow_pickle=False) as found:
        emotions = found["emotions"].tolist()
        assert {actor[-2:] for actor in found["test_speakers"]} == {"04", "10", "12", "14"}
        assert len(found["train_labels"]) == 16 * 8
        for index in (0, 7):
            file = found["test_files"][index]
            path = data / "ravdess" / f"Actor_{file[-2:]}" / f"{file}.wav"
            expected = extract(audio.read(path, spec.sr).samples, spec)
            # Two processes may add in another order.
            np.testing.assert_allclose(found["test_features"][index], expected, atol=1e-3)
            assert emotions[found["test_labels"][index]] == RAVDESS[int(file[6:8]) - 1]


def test_features_as_json(data, tmp_path):
    target = tmp_path / "features.json"
    undertone_train(
        "features",
        "ravdess-lstm",
        "--data",
        data,
        "--out",
        target,
        "--protocol",
        "random",
        "--cache",
        tmp_path / "cache",
        "--set",
        "spec.duration_s=0.2",
    )
    found = json.loads(target.read_text())
    sizes = [len(found[f"{side}_files"]) for side in ("train", "validation", "test")]
    assert sizes == [136, 16, 40]
    assert np.shape(found["test_features"]) == (40, 9, 40)


def test_another_suffix_is_refused(data, tmp_path):
    done = undertone_train(
        "features",
        "ravdess-lstm",
        "--data",
        data,
        "--out",
        tmp_path / "features.pickle",
        check=False,
    )
    assert done.returncode == 1
    assert "written as .npz or as .json" in done.stderr
