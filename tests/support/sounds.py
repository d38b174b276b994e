"""Recordings of nobody, made on the spot."""

import numpy as np
from numpy.typing import NDArray

from undertone import wav


def hum(seconds: float = 1.5, pitch: float = 140.0, sr: int = 16_000) -> NDArray[np.float64]:
    """Like a voice that sings to itself: a pitch that glides, vowels that change. ``float64[n]``."""
    time = np.arange(round(seconds * sr)) / sr
    glide = pitch * (1 + 0.15 * np.sin(2 * np.pi * 0.9 * time))
    phase = 2 * np.pi * np.cumsum(glide) / sr
    formants = (
        500 + 250 * np.sin(2 * np.pi * 2.3 * time),
        1_500 + 600 * np.sin(2 * np.pi * 1.7 * time + 1),
    )
    wave = np.zeros_like(time)
    for k in range(1, 21):
        near = sum(1 / (1 + ((k * glide - formant) / 150) ** 2) for formant in formants)
        wave += near * np.sin(k * phase)
    syllables = 0.6 - 0.4 * np.cos(2 * np.pi * 3.1 * time)
    return 0.15 * np.sin(np.pi * time / seconds) * syllables * wave


def hum_wav(seconds: float = 1.5, pitch: float = 140.0, sr: int = 16_000) -> bytes:
    """The same as a WAV file."""
    return wav.encode(hum(seconds, pitch, sr), sr)
