"""What is done to the waveform before features are taken: small pure functions, composed from a spec."""

from collections.abc import Iterable
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from undertone.frames import energies, surrounded
from undertone.spec import Centre, Denoise, Level, Limit, Spec, Step, Trim

Samples = NDArray[np.float32]
"""Mono sound, ``float32[n]``, full scale at 1."""

_SILENCE = 1e-5
"""RMS (-100 dBFS) below which a clip is not made louder: it would be noise of our own making."""


def centre(samples: Samples) -> Samples:
    """``samples`` less their mean."""
    return samples - samples.mean() if samples.size else samples


def trim(samples: Samples, step: Trim) -> Samples:
    """The part of ``samples`` between the first and the last loud frame, as `librosa.effects.trim`.

    Returns:
        A view, ``float32[m]`` with ``m <= n``; all of it where no frame stands out (digital silence).
    """
    length, hop = step.frame_length, step.hop_length
    power = energies(surrounded(samples, length), length, hop)
    loud = np.flatnonzero(power > power.max() * 10 ** (-step.top_db / 10))
    if loud.size == 0:
        return samples
    return samples[loud[0] * hop : (loud[-1] + 1) * hop]


def level(samples: Samples, step: Level) -> Samples:
    """``samples`` scaled so that their RMS is ``target_db`` below full scale; peaks may exceed 1."""
    rms = float(np.sqrt(np.mean(np.square(samples)))) if samples.size else 0.0
    gain = 10 ** (step.target_db / 20) / max(rms, _SILENCE)
    return samples * np.float32(gain)


def limit(samples: Samples) -> Samples:
    """``samples`` with everything beyond full scale cut off."""
    return np.clip(samples, -1, 1)


def denoise(samples: Samples, step: Denoise) -> Samples:
    """``samples`` through a local Wiener filter; what is quieter than the mean variance is smoothed most.

    Digital silence stays what it is.
    """
    import scipy.signal  # a second, which only models that denoise have to wait for

    with np.errstate(divide="ignore", invalid="ignore"):  # digital silence has no variance
        smoothed: Samples = scipy.signal.wiener(samples, step.size).astype(np.float32)
    return np.nan_to_num(smoothed, copy=False, nan=0.0)


def fit(samples: Samples, n_samples: int) -> Samples:
    """``samples`` centred in exactly ``n_samples``: cut, or padded with zeros, alike on both sides."""
    excess = samples.size - n_samples
    if excess >= 0:
        start = excess // 2
        return samples[start : start + n_samples]
    before = -excess // 2
    return np.pad(samples, (before, -excess - before))


def run_steps(samples: Samples, steps: Iterable[Step]) -> Samples:
    """``samples`` after every step, in order."""
    for step in steps:
        match step:
            case Centre():
                samples = centre(samples)
            case Trim():
                samples = trim(samples, step)
            case Level():
                samples = level(samples, step)
            case Limit():
                samples = limit(samples)
            case Denoise():
                samples = denoise(samples, step)
            case _:
                assert_never(step)
    return samples


def preprocess(samples: Samples, spec: Spec) -> Samples:
    """Sound at ``spec.sr`` to the ``float32[spec.n_samples]`` that features are computed from.

    Where features are summed up over time, a shorter sound stays as short as it is: padding would
    count as silence.
    """
    samples = run_steps(samples, spec.preprocess)
    if spec.summary == "mean":
        return fit(samples, min(samples.size, spec.n_samples))
    return fit(samples, spec.n_samples)
