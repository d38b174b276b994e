"""Variations of training clips: of the sound before features are taken, of the features in each batch.

Everything draws from the generator it is given, and nothing else: same seed, same variations.
"""

from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from training.bands import Bands, filtered, stretched, warped
from training.conditions import N_BABBLE, babble, clipped, in_room, mixed, telephone
from training.recipe import Augmentation
from training.voices import at_pitch
from undertone.features import Matrix
from undertone.preprocess import Samples

_NOISE_COLOURS = 3

_OTHER_SPEEDS: Final = (0.7, 1.4)

_MOST_CLIPPED: Final = 0.2
"""Of the peaks."""

_RT60_S: Final = (0.15, 0.7)
"""From a furnished bedroom to a hall, in seconds."""


def variants(
    samples: Samples, sr: int, settings: Augmentation, generator: np.random.Generator
) -> list[Samples]:
    """The clip itself, then ``settings.variants`` copies at another speed, every second one in noise.

    Some of the copies come from a room, are clipped, or come through a telephone, where the settings say so.
    """

    def happens(part: float) -> bool:
        # What never happens asks nothing of chance, which stays as it was before there was such a thing.
        return part > 0 and generator.random() < part

    copies = [samples]
    for index in range(settings.variants):
        copy = faster(samples, sr, generator.uniform(*settings.speed))
        if settings.pitch:
            copy = at_pitch(copy, sr, generator.uniform(-settings.pitch, settings.pitch))
        if happens(settings.room):
            copy = in_room(copy, sr, generator.uniform(*_RT60_S), generator)[: copy.size]
        if index % 2:
            snr_db = generator.uniform(*settings.noise_snr_db)
            if happens(settings.babble):
                copy = among_others(copy, sr, snr_db, generator)
            else:
                copy = noisy(copy, snr_db, generator)
        if happens(settings.clipping):
            copy = clipped(copy, generator.uniform(0, _MOST_CLIPPED))
        if happens(settings.telephone):
            copy = by_telephone(copy, sr)
        copies.append(copy)
    return copies


def faster(samples: Samples, sr: int, factor: float) -> Samples:
    """``samples`` played ``factor`` times as fast, pitch and all (Ko et al. 2015)."""
    changed: Samples = soxr.resample(samples, sr * factor, sr)
    return changed


def noisy(samples: Samples, snr_db: float, generator: np.random.Generator) -> Samples:
    """``samples`` in white or low-passed noise, ``snr_db`` below the clip's RMS."""
    noise = generator.standard_normal(samples.size).astype(np.float32)
    width = 2 ** int(generator.integers(_NOISE_COLOURS))
    noise = np.convolve(noise, np.full(width, 1 / width, dtype=np.float32), mode="same")
    gain = np.sqrt(np.mean(np.square(samples)) / np.mean(np.square(noise))) * 10 ** (-snr_db / 20)
    return samples + noise * np.float32(gain)


def among_others(
    samples: Samples, sr: int, snr_db: float, generator: np.random.Generator
) -> Samples:
    """``samples`` in babble, ``snr_db`` below the clip's RMS.

    It is the clip's own voice at other speeds, begun elsewhere and every second one backwards: other
    people's would stand on both sides of a split.
    """
    others = []
    for number in range(N_BABBLE):
        other = faster(samples, sr, generator.uniform(*_OTHER_SPEEDS))
        other = np.roll(other, generator.integers(other.size))
        others.append(other[::-1] if number % 2 else other)
    return mixed(samples, babble(others, samples.size), snr_db)


def by_telephone(samples: Samples, sr: int) -> Samples:
    """``samples`` through a line of 8 kHz with mu-law, and back at their rate."""
    narrow, narrow_sr = telephone(samples, sr)
    heard: Samples = soxr.resample(narrow, narrow_sr, sr)
    return heard


def augment_batch(
    features: NDArray[np.float32],
    targets: NDArray[np.float32],
    fill: Matrix,
    settings: Augmentation,
    generator: np.random.Generator,
    bands: Bands | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Vary, shift, mask and mix a batch.

    Args:
        features: ``float32[n, frames, width]``; changed in place.
        targets: ``float32[n, emotions]``, one-hot.
        fill: ``float32[width]``, what stands in masked places: the mean of the training set.
        settings: how much of each.
        generator: where chance comes from.
        bands: where log-mel stands among the features, if it does.

    Returns:
        Features and targets of the same shapes.
    """
    for matrix in features:
        _vary(matrix, bands, settings, generator)
        _shift_and_mask(matrix, fill, settings, generator)
    if settings.mixup == 0:
        return features, targets
    share = generator.beta(settings.mixup, settings.mixup, size=len(features)).astype(np.float32)
    share = np.maximum(share, 1 - share)[:, None]
    partner = generator.permutation(len(features))
    mixed = share[..., None] * features + (1 - share[..., None]) * features[partner]
    return mixed, share * targets + (1 - share) * targets[partner]


def _vary(
    matrix: Matrix,
    bands: Bands | None,
    settings: Augmentation,
    generator: np.random.Generator,
) -> None:
    if settings.stretch:
        matrix[:] = stretched(matrix, 1 + generator.uniform(-settings.stretch, settings.stretch))
    if bands is None:
        return
    if settings.warp:
        factor = 1 + generator.uniform(-settings.warp, settings.warp)
        matrix[:, bands.columns] = warped(matrix[:, bands.columns], bands.hertz, factor)
    if settings.filter_db:
        matrix[:, bands.columns] = filtered(matrix[:, bands.columns], settings.filter_db, generator)


def _shift_and_mask(
    matrix: Matrix, fill: Matrix, settings: Augmentation, generator: np.random.Generator
) -> None:
    frames, width = matrix.shape
    matrix[:] = np.roll(matrix, generator.integers(-settings.shift, settings.shift + 1), axis=0)
    for _ in range(settings.masks):
        start, stop = _span(width, settings.frequency_mask, generator)
        matrix[:, start:stop] = fill[start:stop]
        start, stop = _span(frames, settings.time_mask, generator)
        matrix[start:stop] = fill


def _span(size: int, widest: int, generator: np.random.Generator) -> tuple[int, int]:
    """A random stretch of at most ``widest`` within ``size``."""
    length = int(generator.integers(0, min(widest, size) + 1))
    start = int(generator.integers(0, size - length + 1))
    return start, start + length
