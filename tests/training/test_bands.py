"""Another throat, tempo and microphone: what each does to a spectrogram, and what it leaves."""

import numpy as np
import pytest

from training import recipe
from training.bands import bands_of, filtered, stretched, warped
from undertone.features import features, mel_centres
from undertone.spec import LogMel, Mfcc, Rms, Spec

SR = 16_000
FEATURE = LogMel(n_mels=64)
HERTZ = mel_centres(SR, FEATURE)


def tone(hertz, seconds=1.0):
    return np.sin(2 * np.pi * hertz * np.arange(round(SR * seconds)) / SR).astype(np.float32)


def loudest(mel):
    return HERTZ[np.argmax(mel.mean(axis=0))]


def test_the_centres_are_where_a_tone_is_loudest():
    for hertz in (500.0, 1500.0, 4000.0):
        mel = features(tone(hertz), Spec(features=(FEATURE,)))
        assert loudest(mel) == pytest.approx(hertz, rel=0.05)


@pytest.mark.parametrize("factor", [0.85, 1.0, 1.2])
def test_a_resonance_is_moved_by_the_factor(factor):
    mel = features(tone(1500.0), Spec(features=(FEATURE,)))
    moved = warped(mel, HERTZ, factor)
    assert loudest(moved) == pytest.approx(1500 * factor, rel=0.06)
    # The end of the axis stays where it is.
    np.testing.assert_allclose(moved[:, -1], mel[:, -1], atol=1e-3)


def test_a_factor_of_one_changes_nothing():
    matrix = np.random.default_rng(0).normal(size=(30, 64)).astype(np.float32)
    np.testing.assert_allclose(warped(matrix, HERTZ, 1.0), matrix, atol=1e-4)
    np.testing.assert_array_equal(stretched(matrix, 1.0), matrix)


def test_time_is_stretched_around_the_middle():
    matrix = np.zeros((101, 3), np.float32)
    matrix[[40, 60]] = 1
    slow = stretched(matrix, 1.5)
    assert slow.shape == matrix.shape
    peaks = np.flatnonzero(slow[:, 0] > 0.99)
    assert peaks[0] == pytest.approx(50 - 15, abs=1)
    assert peaks[-1] == pytest.approx(50 + 15, abs=1)


def test_a_filter_is_the_same_in_every_frame_smooth_and_bounded():
    matrix = np.random.default_rng(0).normal(size=(30, 64)).astype(np.float32)
    for seed in range(20):
        curve = filtered(matrix, 6.0, np.random.default_rng(seed)) - matrix
        np.testing.assert_allclose(curve, np.broadcast_to(curve[0], curve.shape), atol=1e-5)
        assert np.abs(curve).max() <= 6 + 1e-5
        bends = np.abs(np.diff(curve[0], 2)) > 1e-3
        assert 1 <= bends.sum() <= 3
    assert curve.std() > 0.1


def test_log_mel_is_found_among_other_features():
    spec = Spec(features=(Rms(), Mfcc(n_mfcc=13), LogMel(n_mels=20)))
    bands = bands_of(spec)
    assert bands is not None
    assert (bands.columns.start, bands.columns.stop) == (14, 34)
    assert len(bands.hertz) == 20
    assert bands_of(Spec(features=(Rms(),))) is None


@pytest.mark.parametrize("setting", ["augmentation.warp=0.1", "augmentation.filter_db=3.0"])
def test_a_recipe_without_log_mel_cannot_ask_for_it(setting):
    with pytest.raises(recipe.RecipeError, match="need a log_mel feature"):
        recipe.load("ravdess-lstm", [setting])
