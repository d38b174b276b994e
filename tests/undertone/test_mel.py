"""The scale and the filters are librosa's."""

import librosa
import numpy as np
import pytest

from undertone import mel

HERTZ = np.array([0.0, 100, 999, 1_000, 1_001, 4_000, 8_000])


def test_the_scale_is_slaneys_there_and_back():
    there = mel.of_hertz(HERTZ)
    np.testing.assert_allclose(there, librosa.hz_to_mel(HERTZ), atol=1e-9)
    np.testing.assert_allclose(mel.to_hertz(there), HERTZ, atol=1e-9)


@pytest.mark.parametrize("n_mels", [1, 7, 8, 64, 300])
@pytest.mark.filterwarnings("ignore:Empty filters detected")
def test_bands_hold_every_filter_once_and_leave_out_nothing_but_zeros(n_mels):
    whole = np.zeros((513, n_mels))
    for band in mel.bands(16_000, 1024, n_mels, 50.0, 7_000.0):
        whole[band.bins, band.mels] += band.weights
    expected = librosa.filters.mel(sr=16_000, n_fft=1024, n_mels=n_mels, fmin=50, fmax=7_000)
    np.testing.assert_allclose(whole, expected.T, atol=1e-8)
