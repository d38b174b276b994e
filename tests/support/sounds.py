"""Recordings of nobody, made on the spot."""

import numpy as np
from numpy.typing import NDArray

from undertone import wav


def hum(seconds: float = 1.5, pitch: float = 140.0, sr: int = 16_000) -> NDArray[np.float64]:
    """Something like a vowel: a few harmonics, swelling and falling. ``float64[n]``."""
    time = np.arange(round(seconds * sr)) / sr
    harmonics = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 9))
    return 0.2 * np.sin(np.pi * time / seconds) * harmonics


def hum_wav(seconds: float = 1.5, pitch: float = 140.0, sr: int = 16_000) -> bytes:
    """The same as a WAV file."""
    return wav.encode(hum(seconds, pitch, sr), sr)
