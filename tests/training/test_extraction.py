"""Features are what the service hears, the same each time, and extracted once."""

import ast
import importlib
import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from tests.support.ravdess import write_ravdess
from tests.support.sounds import hum_wav
from training import augment, corpora, extraction, recipe, voices
from training.clip import Clip
from training.errors import CorpusError
from training.extraction import extract_all, extracted
from undertone import audio, features
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


def test_every_module_between_a_file_and_its_features_is_part_of_the_key():
    ways = [audio, features, augment]
    # What cannot change a number: words for errors, limits that only refuse, and what a recipe says.
    silent = {
        "undertone.errors",
        "undertone.limits",
        "undertone.sniff",
        "training.errors",
        "training.recipe",
    }
    for module in ways:
        for name in set(imported(module)) - silent:
            found = importlib.import_module(name)
            if found not in ways:
                ways.append(found)
    assert len(ways) > 10
    assert {way.__name__ for way in ways} <= {each.__name__ for each in extraction.MODULES}


def imported(module):
    """The modules of ours that a module imports, but for types."""
    tree = ast.parse(Path(module.__file__).read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in ("undertone", "training"):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module.startswith(
            ("undertone.", "training.")
        ):
            yield node.module


def test_other_libraries_make_other_features(clips, tmp_path, monkeypatch):
    kept = tmp_path / "kept"
    extracted(clips[0], RECIPE, kept)
    monkeypatch.setattr(extraction, "library_versions", lambda _: {"soxr": "another"})
    extraction._code.cache_clear()
    extracted(clips[0], RECIPE, kept)
    extraction._code.cache_clear()
    assert len(list(kept.iterdir())) == 2


def test_a_clip_that_cannot_be_read_is_named(clips, tmp_path):
    clips[0].path.write_bytes(b"")
    with pytest.raises(CorpusError, match=rf"{clips[0].name}\.wav: The audio is empty"):
        extracted(clips[0], RECIPE, tmp_path / "kept")


def test_a_long_name_in_another_script_is_kept(tmp_path):
    path = tmp_path / f"{'声' * 80}.wav"
    path.write_bytes(hum_wav(1.0))
    clip = Clip(path, path.stem, "mine", "mine/anna", "sad", "")
    assert len(extracted(clip, RECIPE, tmp_path / "kept")) == 3


def test_a_second_run_does_not_extract_again(clips, tmp_path, monkeypatch):
    kept = tmp_path / "kept"
    extract_all(clips, RECIPE, kept, jobs=1, console=Console(file=io.StringIO()))
    first = [extracted(clip, RECIPE, kept) for clip in clips]

    def fail(*_):
        raise AssertionError("it was extracted again")

    monkeypatch.setattr(audio, "read", fail)
    extract_all(clips, RECIPE, kept, jobs=1, console=Console(file=io.StringIO()))
    for clip, before in zip(clips, first, strict=True):
        np.testing.assert_array_equal(extracted(clip, RECIPE, kept), before)


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


def test_what_moves_voices_is_compiled_before_several_processes_would(clips, tmp_path, monkeypatch):
    class Prepared(Exception):
        pass

    def prepare():
        raise Prepared

    monkeypatch.setattr(voices, "prepare", prepare)
    higher = recipe.load("ravdess-conv-blstm", ["augmentation.pitch=2"])
    with pytest.raises(Prepared):
        extract_all(clips, higher, tmp_path, jobs=2, console=Console(file=io.StringIO()))
    assert list(tmp_path.glob("**/*.npy")) == []
