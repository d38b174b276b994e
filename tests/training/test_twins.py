"""One recording under two names is found by its sound, whatever file it lies in."""

import pytest
import soundfile

from tests.support.ravdess import SR, voice
from training import corpora
from training.errors import CorpusError
from training.twins import require_no_twins
from undertone.wav import encode


def write(path, sound):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(sound, SR))


def test_different_recordings_of_one_length_are_let_through(tmp_path):
    for seed, speaker in enumerate(("anna", "ben")):
        write(tmp_path / "mine" / "sad" / speaker / "1.wav", voice(4, 0.3, seed=seed))
    require_no_twins(corpora.read("mine", tmp_path))


@pytest.mark.parametrize(
    "other", ["sad/ben/1.wav", "sad/anna/2.wav", "happy/anna/1.wav", "sad/ben/1.flac"]
)
def test_the_same_recording_twice_is_refused(tmp_path, other):
    sound = voice(4, 0.3, seed=0)
    first = tmp_path / "mine" / "sad" / "anna" / "1.wav"
    write(first, sound)
    second = tmp_path / "mine" / other
    write(second.with_suffix(".wav"), sound)
    if second.suffix == ".flac":
        samples, sr = soundfile.read(second.with_suffix(".wav"), dtype="int16")
        soundfile.write(second, samples, sr)
        second.with_suffix(".wav").unlink()
    with pytest.raises(CorpusError, match="are the same recording, which could train and be"):
        require_no_twins(corpora.read("mine", tmp_path))


def test_published_corpora_are_not_decoded(tmp_path):
    for take in (1, 2):
        path = tmp_path / "tess" / f"OAF_{'ab'[take - 1]}_sad.wav"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"nothing")
    require_no_twins(corpora.read("tess", tmp_path))
