"""Features are what the service hears, the same each time, and extracted once."""

import io

import numpy as np
import pytest
from rich.console import Console

from tests.support.ravdess import write_ravdess
from tests.support.sounds import hum_wav
from training import corpora, recipe
from training.clip import Clip
from training.errors import CorpusError
from training.extraction import extract_all, extracted
from undertone import audio
from undertone.features import extract

RECIPE = recipe.load("ravdess-conv-blstm", ["augmentation.variants=2"])


@pytest.fixture
def clips(tmp_path):
    write_ravdess(tmp_path / "ravdess", [1])
    return corpora.read("ravdess", tmp_path)


def test_the_first_variant_is_the_clip_as_the_service_hears_it(clips, tmp_path):
    for clip in clips:
        found = extracted(clip, RECIPE, tmp_path / "kept")
        assert found.shape == (3, RECIPE.spec.frames, RECIPE.spec.width)
        samples = audio.read(clip.path, RECIPE.spec.sr).samples
        np.testing.assert_array_equal(found[0], extract(samples, RECIPE.spec))
        assert np.abs(found[1] - found[0]).max() > 1


def test_a_second_run_does_not_extract_again(clips, tmp_path, monkeypatch):
    kept = tmp_path / "kept"
    extract_all(clips, RECIPE, kept, jobs=1, console=Console(file=io.StringIO()))
    first = [extracted(clip, RECIPE, kept) for clip in clips]

    def fail(*_):
        raise AssertionError("it was extracted again")

    monkeypatch.setattr(audio, "read", fail)
    extract_all(clips, RECIPE, kept, jobs=1, console=Console(file=io.StringIO()))
    for clip, features in zip(clips, first, strict=True):
        np.testing.assert_array_equal(extracted(clip, RECIPE, kept), features)


def test_another_spec_and_another_file_are_extracted_anew(clips, tmp_path):
    kept, clip = tmp_path / "kept", clips[0]
    before = extracted(clip, RECIPE, kept)
    narrow = recipe.load("ravdess-conv-blstm", ["augmentation.variants=2", "spec.sr=8000"])
    assert extracted(clip, narrow, kept).shape[1] < before.shape[1]
    clip.path.write_bytes(clips[1].path.read_bytes())
    assert np.abs(extracted(clip, RECIPE, kept)[0] - before[0]).max() > 1


def test_half_a_file_is_extracted_anew(clips, tmp_path):
    kept = tmp_path / "kept"
    before = extracted(clips[0], RECIPE, kept)
    (path,) = kept.rglob("*.npy")
    path.write_bytes(path.read_bytes()[:1000])
    np.testing.assert_array_equal(extracted(clips[0], RECIPE, kept), before)


def test_a_clip_longer_than_one_pass_is_refused(tmp_path):
    path = tmp_path / "long.wav"
    path.write_bytes(hum_wav(6.5))
    with pytest.raises(CorpusError, match=r"long\.wav is longer than the 6 s"):
        extracted(Clip(path, "long", "mine", "mine/a", "sad", ""), RECIPE, tmp_path)
