"""Variations of log-mel spectrograms: another throat, another tempo, another microphone.

They cost microseconds, so each batch gets its own; each is a pure function of a matrix and a number.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undertone.features import Matrix, mel_centres
from undertone.spec import LogMel, Spec

_BOUNDARY_HZ = 4_800.0
"""Where a stretched frequency axis bends, to end where it did (Jaitly and Hinton 2013)."""

_KNOTS = (3, 5)
"""Fewest and most places of a filter between which its gain runs straight."""


@dataclass(frozen=True, slots=True, eq=False)
class Bands:
    """The columns of a feature matrix that are log-mel, and the frequency of each."""

    columns: slice
    hertz: NDArray[np.float64]


def bands_of(spec: Spec) -> Bands | None:
    """Where the first log-mel feature stands; None where there is none, or time was averaged out."""
    start = 0
    for feature in spec.features:
        if isinstance(feature, LogMel) and spec.summary == "frames":
            columns = slice(start, start + feature.width)
            return Bands(columns, mel_centres(spec.sr, feature))
        start += feature.width
    return None


def warped(mel: Matrix, hertz: NDArray[np.float64], factor: float) -> Matrix:
    """``float32[frames, n_mels]`` as if every resonance lay ``factor`` times as high.

    Up to 4.8 kHz (less where that would leave the spectrum) frequencies are scaled; from there the axis
    runs straight to its end.
    """
    top = float(hertz[-1])
    bend = min(_BOUNDARY_HZ, 0.9 * top) * min(factor, 1.0) / factor
    source = np.interp(hertz, [0.0, bend * factor, top], [0.0, bend, top])
    return _columns_at(mel, np.interp(source, hertz, np.arange(len(hertz))))


def stretched(matrix: Matrix, factor: float) -> Matrix:
    """``float32[frames, width]`` ``factor`` times as slow around its middle; its ends are repeated."""
    frames = len(matrix)
    middle = (frames - 1) / 2
    source = np.clip((np.arange(frames) - middle) / factor + middle, 0, frames - 1)
    return _columns_at(matrix.T, source).T


def filtered(mel: Matrix, gain_db: float, generator: np.random.Generator) -> Matrix:
    """``float32[frames, n_mels]`` through a random smooth filter of at most ``gain_db`` either way."""
    n_mels = mel.shape[1]
    inner = generator.choice(
        np.arange(1, n_mels - 1),
        size=int(generator.integers(*_KNOTS, endpoint=True)) - 2,
        replace=False,
    )
    knots = np.sort(np.concatenate([[0, n_mels - 1], inner]))
    gains = generator.uniform(-gain_db, gain_db, size=len(knots))
    curve: NDArray[np.float32] = np.interp(np.arange(n_mels), knots, gains).astype(np.float32)
    return mel + curve


def _columns_at(matrix: Matrix, places: NDArray[np.float64]) -> Matrix:
    """Columns of ``matrix`` between those that there are, on the straight line between neighbours."""
    below = np.clip(places.astype(np.int64), 0, matrix.shape[1] - 2)
    share = (places - below).astype(np.float32)
    between: Matrix = matrix[:, below] * (1 - share) + matrix[:, below + 1] * share
    return between
