import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertone import audio
from undertone.preprocess import centre, denoise, fit, level, preprocess, trim
from undertone.spec import Denoise, Level, Spec, Trim

SR = 16_000


@pytest.fixture(scope="module")
def speech(hello):
    return audio.read(hello, SR).samples


@pytest.mark.parametrize("top_db", [15.0, 30.0, 60.0])
@pytest.mark.parametrize(("frame_length", "hop_length"), [(1024, 256), (2048, 512), (400, 160)])
def test_trim_is_librosas(speech, top_db, frame_length, hop_length):
    samples = np.concatenate([np.zeros(5000, np.float32), speech, np.zeros(3000, np.float32)])
    expected, _ = librosa.effects.trim(
        samples, top_db=top_db, frame_length=frame_length, hop_length=hop_length
    )
    step = Trim(top_db=top_db, frame_length=frame_length, hop_length=hop_length)
    np.testing.assert_array_equal(trim(samples, step), expected)


def test_trim_leaves_silence_alone():
    silence = np.zeros(SR, np.float32)
    assert trim(silence, Trim()).size == SR


@pytest.mark.parametrize("offset", [-0.4, 1e-4, 0.02])
def test_an_offset_changes_nothing(speech, offset):
    quiet = speech * np.float32(0.05)
    expected = preprocess(quiet, Spec())
    np.testing.assert_allclose(preprocess(quiet + np.float32(offset), Spec()), expected, atol=1e-4)


def test_centre_takes_nothing_from_nothing():
    assert centre(np.zeros(0, np.float32)).size == 0
    assert abs(centre(np.full(SR, 0.5, np.float32))).max() == 0


def test_denoise_leaves_silence_alone():
    samples = np.zeros(SR, np.float32)
    np.testing.assert_array_equal(denoise(samples, Denoise()), samples)


@pytest.mark.parametrize("target_db", [-40.0, -23.0, 0.0])
def test_level_sets_the_rms(speech, target_db):
    leveled = level(speech, Level(target_db=target_db))
    rms_db = 20 * np.log10(np.sqrt(np.mean(leveled.astype(np.float64) ** 2)))
    assert rms_db == pytest.approx(target_db, abs=1e-3)
    assert leveled.dtype == np.float32


def test_level_does_not_blow_up_what_is_silent():
    hiss = np.full(SR, 1e-7, np.float32)
    assert np.abs(level(hiss, Level())).max() < 1e-2


@given(size=st.integers(1, 300), target=st.integers(1, 300))
def test_fit_centres(size, target):
    samples = np.arange(1, size + 1, dtype=np.float32)
    fitted = fit(samples, target)
    assert fitted.size == target
    kept = np.flatnonzero(fitted)
    assert kept.size == min(size, target)
    before, after = kept[0], target - 1 - kept[-1]
    assert abs(before - after) <= 1
    np.testing.assert_array_equal(np.diff(fitted[kept]), 1)


def test_steps_run_in_the_order_of_the_spec(speech):
    quiet_ends = np.concatenate([np.zeros(SR, np.float32), speech])
    trimmed_first = preprocess(quiet_ends, Spec(preprocess=(Trim(), Level()), duration_s=8))
    leveled_first = preprocess(quiet_ends, Spec(preprocess=(Level(), Trim()), duration_s=8))
    assert np.abs(trimmed_first).max() < np.abs(leveled_first).max()


def test_what_is_given_is_never_changed(speech):
    before = speech.copy()
    preprocess(speech, Spec())
    np.testing.assert_array_equal(speech, before)
