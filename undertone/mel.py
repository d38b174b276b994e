"""The scale of mel (Slaney, Auditory Toolbox, 1998), and the filters along it; both are librosa's."""

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from undertone.constant import constant

SIDE_BY_SIDE: Final = 8
"""Triangles that are read off a spectrum together. They hear a part of it only: to multiply all of it with
all of them, which are mostly zeros, takes three times as long."""

_MEL_HZ = 200 / 3
_LINEAR_TO_HZ = 1_000.0
_LINEAR_TO_MEL = _LINEAR_TO_HZ / _MEL_HZ
_MEL_STEP = np.log(6.4) / 27
"""Linear up to 1 kHz, logarithmic above."""


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Some triangles side by side, and the bins of a spectrum that they hear."""

    mels: slice
    bins: slice
    weights: NDArray[np.float32]
    """``float32[bins, mels]``."""


@cache
def bands(sr: int, n_fft: int, n_mels: int, fmin: float, fmax: float | None) -> tuple[Band, ...]:
    """All triangles, `SIDE_BY_SIDE` at a time; of the bins, those that some of them hear."""
    bank, found = _bank(sr, n_fft, n_mels, fmin, fmax), []
    for start in range(0, n_mels, SIDE_BY_SIDE):
        mels = slice(start, start + SIDE_BY_SIDE)
        heard = np.flatnonzero(bank[:, mels].any(axis=1))
        bins = slice(heard[0], heard[-1] + 1) if heard.size else slice(0)
        found.append(Band(mels, bins, constant(bank[bins, mels])))
    return tuple(found)


def edges(sr: int, n_mels: int, fmin: float, fmax: float | None) -> NDArray[np.float64]:
    """Where the triangles begin, peak and end, ``float64[n_mels + 2]`` in Hz."""
    lowest, highest = of_hertz(np.array([fmin, sr / 2 if fmax is None else fmax]))
    return to_hertz(np.linspace(lowest, highest, n_mels + 2))


def of_hertz(hertz: NDArray[Any]) -> NDArray[np.float64]:
    """Hertz to mel, ``float64[n]``."""
    above = np.log(np.maximum(hertz, _LINEAR_TO_HZ) / _LINEAR_TO_HZ) / _MEL_STEP
    return np.where(hertz < _LINEAR_TO_HZ, hertz / _MEL_HZ, _LINEAR_TO_MEL + above)


def to_hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mel to hertz, ``float64[n]``."""
    above = _LINEAR_TO_HZ * np.exp(_MEL_STEP * (np.maximum(mel, _LINEAR_TO_MEL) - _LINEAR_TO_MEL))
    return np.where(mel < _LINEAR_TO_MEL, mel * _MEL_HZ, above)


def _bank(sr: int, n_fft: int, n_mels: int, fmin: float, fmax: float | None) -> NDArray[np.float64]:
    """``float64[1 + n_fft / 2, n_mels]``: triangles of equal area, evenly apart in mel."""
    corners = edges(sr, n_mels, fmin, fmax)
    frequency = np.fft.rfftfreq(n_fft, 1 / sr)[:, np.newaxis]
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]
    rising = (frequency - left) / (centre - left)
    falling = (right - frequency) / (right - centre)
    triangles: NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling)) * 2 / (right - left)
    return triangles
