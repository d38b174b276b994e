import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import nonspeech
from benchmarks import speech as measurement
from tests.support.sounds import hum
from undertone import audio, speech, wav
from undertone.errors import NoSpeech

SR = 16_000
REPORT = json.loads(measurement.RESULTS.read_text())


@pytest.fixture(scope="module")
def spoken(hello) -> np.ndarray:
    return audio.read(hello, SR).samples


def verdict(samples: np.ndarray, sr: int = SR) -> str:
    found = speech.judge(samples.astype(np.float32), sr)
    return found.reason or found.warning or "speech"


def test_speech_is_speech(spoken):
    assert verdict(spoken) == "speech"
    assert verdict(hum(3)) == "speech"


@pytest.mark.parametrize("gain", [1e-3, 0.1, 10, 1e4])
def test_the_level_does_not_matter(spoken, gain):
    expected = speech.judge(spoken, SR).evidence
    assert speech.judge(spoken * np.float32(gain), SR).evidence == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("exponent", [1, 20, 26, 28, 31])
@pytest.mark.parametrize("sound", ["voice", "tone", "noise"])
def test_nor_do_samples_that_are_unscaled_integers(sound, exponent):
    """A power of two changes no digit of a sample; in the square of a square it may leave no number."""
    samples = {
        "voice": hum(3),
        "tone": np.sin(2 * np.pi * 300 * np.arange(3 * SR) / SR).astype(np.float32),
        "noise": np.random.default_rng(0).uniform(-1, 1, 3 * SR).astype(np.float32),
    }[sound]
    found = speech.judge(np.ldexp(samples, exponent), SR)
    expected = speech.judge(samples, SR)
    assert found.evidence == pytest.approx(expected.evidence, abs=0.01)
    assert found.reason == expected.reason


@pytest.mark.parametrize("sr", [8_000, 22_050, 44_100, 48_000])
def test_the_rate_hardly_matters(sr):
    assert verdict(hum(3, sr=sr), sr) == "speech"
    time = np.arange(3 * sr) / sr
    assert verdict(np.sin(2 * np.pi * 300 * time), sr) == "no_speech"


def test_sounds_that_nobody_makes_are_refused_or_doubted():
    sounds = [nonspeech.make(seed) for seed in range(5_000, 5_000 + 4 * len(nonspeech.KINDS))]
    verdicts = [
        verdict(audio.decode(wav.encode(sound.samples, sound.sr), SR).samples) for sound in sounds
    ]
    assert np.mean([each != "speech" for each in verdicts]) >= 0.95
    assert np.mean([each == "no_speech" for each in verdicts]) >= 0.75


def test_the_sounds_are_always_the_same_and_of_every_kind():
    kinds = set()
    for seed in range(len(nonspeech.KINDS)):
        first, again = nonspeech.make(seed), nonspeech.make(seed)
        np.testing.assert_array_equal(first.samples, again.samples)
        assert np.isfinite(first.samples).all()
        assert 0 < np.abs(first.samples).max() <= 1
        kinds.add(first.kind)
    assert kinds == set(nonspeech.KINDS)


@pytest.mark.parametrize("sr", [8_000, SR])
@pytest.mark.parametrize("seed", range(6))
def test_leaving_out_what_is_faint_changes_nothing(seed, sr, spoken, monkeypatch):
    rng = np.random.default_rng(seed)
    parts = [
        *(1e-4 * rng.standard_normal((2, sr)).astype(np.float32)),
        spoken[: 2 * sr],
        *(np.float32(0.3) * np.sin(2 * np.pi * hz * np.arange(sr) / sr) for hz in (40, 3_990)),
        rng.standard_normal(sr // 5) * np.logspace(-4, 0, sr // 5),
    ]
    chosen = rng.permutation(len(parts))[: 3 + seed % 3]
    sound = np.concatenate([np.zeros(sr), *(parts[index] for index in chosen)]).astype(np.float32)
    found = speech.signs(sound, sr)
    monkeypatch.setattr(speech, "_FEW", len(sound))
    assert found == speech.signs(sound, sr)


@pytest.mark.parametrize("size", [0, 1, 100, 511, 512, 513, 3 * SR])
def test_silence_is_no_speech_however_long(size):
    assert verdict(np.zeros(size)) == "no_speech"
    assert speech.judge(np.zeros(size, np.float32), SR).evidence == -np.inf


@pytest.mark.parametrize("size", [2, 100, 511, 512, 513, 1_600])
def test_a_sound_too_short_to_tell_is_doubted_and_not_refused(size):
    assert verdict(np.sin(np.arange(size) + 1)) == "low_confidence"


def test_one_window_in_which_somebody_speaks_is_enough(spoken):
    tone = speech.judge(np.sin(np.arange(3 * SR, dtype=np.float32)), SR)
    sentence = speech.judge(spoken, SR)
    silence = speech.judge(np.zeros(SR, np.float32), SR)
    doubt = speech.judge(np.sin(np.arange(2_000, dtype=np.float32)), SR)
    assert speech.heed([tone, sentence, silence]) == ()
    assert [notice.code for notice in speech.heed([tone, doubt, silence])] == ["low_confidence"]
    with pytest.raises(NoSpeech, match="Nobody speaks") as error:
        speech.heed([tone, silence])
    assert error.value.received["speech_evidence"] < error.value.allowed["min_speech_evidence"]


def test_a_bump_of_the_microphone_does_not_hide_a_sentence(spoken):
    bump = np.zeros(SR)
    bump[8_000:8_300] = 30
    assert verdict(np.concatenate([bump, spoken])) == "speech"


def test_a_whisper_is_doubted_and_not_refused(spoken):
    whisper = measurement.whispered(spoken, np.random.default_rng(0))
    assert verdict(whisper) == "low_confidence"


@pytest.mark.recordings
def test_hardly_a_recording_is_refused(recordings: Path):
    paths = sorted([*recordings.glob("ravdess/*/*.flac"), *recordings.glob("tess/*/*.flac")])
    chosen = paths[::20]
    verdicts = [verdict(audio.read(path, SR).samples) for path in chosen]
    assert len(chosen) > 200
    assert verdicts.count("no_speech") <= 0.005 * len(chosen)
    assert verdicts.count("low_confidence") <= 0.02 * len(chosen)


def test_what_was_measured_is_good_enough():
    clips, sounds = REPORT["all_speakers"], REPORT["sounds"]["all"]
    refused = clips["ravdess"]["no_speech"] + clips["tess"]["no_speech"]
    assert (clips["ravdess"]["n"], clips["tess"]["n"]) == (1440, 2800)
    assert refused <= 0.005 * (1440 + 2800)
    assert sounds["n"] == 300
    assert sounds["no_speech"] + sounds["low_confidence"] >= 0.95 * 300


def test_the_figures_in_the_documents_are_those_that_were_measured():
    text = (Path(__file__).parents[2] / "docs" / "uploads.md").read_text()

    def row(*counts: dict[str, int]) -> str:
        totals = [
            sum(each[name] for each in counts) for name in ("n", "no_speech", "low_confidence")
        ]
        return " | {} | {} | {} |\n".format(*totals)

    everybody, others = REPORT["all_speakers"], REPORT["speakers_of_the_other_half"]
    assert "all clips" + row(everybody["ravdess"], everybody["tess"]) in text
    assert "nothing was fitted" + row(others["ravdess"], others["tess"]) in text
    assert "singing" + row(everybody["ravdess-song"]) in text
    assert "slow to fast" + row(REPORT["espeak-ng"]["spoken"]) in text
    assert "whispering" + row(REPORT["espeak-ng"]["whispered"]) in text
    assert "benchmarks/nonspeech.py))" + row(REPORT["sounds"]["all"]) in text
