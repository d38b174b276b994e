import numpy as np
import pytest

from training.abstain import risk_coverage


def test_the_surest_are_answered_first():
    confidence = np.array([0.6, 0.9, 0.7, 0.8])
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    curve = risk_coverage(np.array([1, 0, 0, 1]), probabilities)
    assert curve.coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert curve.accuracy.tolist() == pytest.approx([1, 1 / 2, 2 / 3, 1 / 2])
    assert curve.at(0.5) == pytest.approx(1 / 2)
    assert curve.at(0.6) == pytest.approx(2 / 3)
    assert curve.at(1) == pytest.approx(1 / 2)
