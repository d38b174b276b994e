import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.calibrate import BOUNDS, fit_temperature, softmax, uncalibrated


def draw(temperature, n=20_000):
    """Logits that are right when divided by ``temperature``."""
    generator = np.random.default_rng(0)
    logits = generator.normal(scale=2, size=(n, 4))
    chosen = (softmax(logits).cumsum(axis=1) < generator.uniform(size=(n, 1))).sum(axis=1)
    return logits * temperature, chosen


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_is_found(temperature):
    logits, truth = draw(temperature)
    assert fit_temperature(logits, truth) == pytest.approx(temperature, rel=0.05)


def test_it_stays_within_bounds():
    logits = np.array([[50.0, 0.0], [0.0, 50.0]])
    assert BOUNDS[0] <= fit_temperature(logits, np.array([0, 1])) <= BOUNDS[1]
    assert BOUNDS[0] <= fit_temperature(logits, np.array([1, 0])) <= BOUNDS[1]


@given(st.integers(0, 100), st.floats(0.2, 5))
def test_calibration_is_undone(seed, temperature):
    logits = np.random.default_rng(seed).normal(size=(5, 8))
    calibrated = softmax(logits, temperature)
    np.testing.assert_allclose(uncalibrated(calibrated, temperature), softmax(logits), atol=1e-9)
    np.testing.assert_array_equal(calibrated.argmax(axis=1), logits.argmax(axis=1))
    np.testing.assert_allclose(calibrated.sum(axis=1), 1)


def test_large_logits_do_not_overflow():
    assert np.isfinite(softmax(np.array([[1e4, 0.0]], dtype=np.float32))).all()


def test_confidence_on_heard_speakers_is_never_raised():
    logits = np.eye(3)[[0, 1, 2]] * 2.0
    truth = np.array([0, 1, 2])
    assert fit_temperature(logits, truth) < 0.5
    assert fit_temperature(logits, truth, heard=True) == pytest.approx(1, rel=0.01)
    wrong = np.array([1, 2, 0])
    assert fit_temperature(logits, wrong, heard=True) == pytest.approx(BOUNDS[1], rel=0.01)
