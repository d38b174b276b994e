"""One short-time Fourier transform, and every feature read off it.

The definitions are librosa's (https://librosa.org, McFee et al. 2015), to the last constant, but for pitch;
the tests hold them to librosa's own output. What differs is the cost: the transform is taken once, in
float32, and windows and filter banks are made once for each spec. librosa itself is not imported: it would
add two seconds to every start, and numba's cache on disk, on which processes that fill it at the same time
can crash (https://github.com/numba/numba/issues/10128).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from math import factorial
from typing import assert_never

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from undertone import mel
from undertone.constant import constant
from undertone.frames import centred, n_centred, sounding
from undertone.preprocess import Samples, preprocess
from undertone.spec import Chroma, Feature, LogMel, Mfcc, Pitch, Rms, Spec, Stft, Zcr

Matrix = NDArray[np.float32]
"""Features over time, ``float32[frames, width]``: one row a frame."""

_AMIN = 1e-10
"""The floor of `librosa.power_to_db`."""

_ZERO = 1e-10
"""What `librosa.zero_crossings` takes for zero."""

_NEVER = np.float32(1e9)
"""What is taken from the score of a lag that is no peak: more than any peak has."""

_DELTA_WIDTH = 9
"""Frames that a slope is taken over, the default of `librosa.feature.delta`."""

_UNVOICED, _VOICED = 0.3, 0.7
"""The correlation of a frame with itself a period later, where it is no voice at all, and a clear one."""

_A440 = 440.0
_CENTRE_OCTAVE, _OCTAVE_WIDTH = 5.0, 2.0
"""Where chroma listens: octaves above 27.5 Hz, and how far around them."""


@dataclass(frozen=True, slots=True)
class Spectrum:
    """What the features share: a sound and the power spectrum of its frames."""

    sr: int
    stft: Stft
    samples: Samples
    power: Matrix
    """``float32[frames, 1 + n_fft / 2]``."""


def extract(samples: Samples, spec: Spec) -> Matrix:
    """Sound at ``spec.sr``, of any length, to ``float32[spec.frames, spec.width]``.

    Features stand side by side in the order in which the spec lists them.
    """
    matrix = features(preprocess(samples, spec), spec)
    return matrix.mean(axis=0, dtype=np.float32)[:, None] if spec.summary == "mean" else matrix


def extract_all(windows: Iterable[Samples], spec: Spec) -> NDArray[np.float32]:
    """Several sounds at ``spec.sr`` to ``float32[n, spec.frames, spec.width]``; ``n`` may be 0."""
    matrices = [extract(samples, spec) for samples in windows]
    return np.stack(matrices) if matrices else np.zeros((0, spec.frames, spec.width), np.float32)


def features(samples: Samples, spec: Spec) -> Matrix:
    """Sound that is already preprocessed to ``float32[frames, spec.width]``: a frame every ``hop_length``.

    Much of a short clip is padding. Frames of nothing but zeros are all alike: a few next to the sound are
    computed, and stand for the others.
    """
    n_fft, hop_length = spec.stft.n_fft, spec.stft.hop_length
    n_frames = n_centred(samples.size, n_fft, hop_length)
    sound = sounding(samples, n_fft, hop_length)
    reach = max(_reach(feature) for feature in spec.features)
    first, last = max(0, sound.start - reach), min(n_frames, sound.stop + reach)
    if last - first == n_frames:
        return _columns(samples, spec)
    stop = (last - 1) * hop_length + n_fft % 2 if last < n_frames else samples.size
    found = _columns(samples[first * hop_length : stop], spec)
    whole = np.empty((n_frames, found.shape[1]), np.float32)
    whole[:first], whole[first:last], whole[last:] = found[0], found, found[-1]
    return whole


def _reach(feature: Feature) -> int:
    """How many frames of silence beside the sound to compute, so that the last is like all further away.

    The first and the last slopes are fitted to as many frames as a slope is taken over.
    """
    return _DELTA_WIDTH if isinstance(feature, Mfcc) and feature.deltas else 1


def _columns(samples: Samples, spec: Spec) -> Matrix:
    shared = spectrum(samples, spec.sr, spec.stft)
    columns = [_feature(shared, feature) for feature in spec.features]
    return columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)


def spectrum(samples: Samples, sr: int, stft: Stft) -> Spectrum:
    """The power spectrum of ``samples`` (`librosa.stft`: centred frames, zeros beyond the ends)."""
    frames = centred(samples, stft.n_fft, stft.hop_length)
    transform = scipy.fft.rfft(frames * _window(stft), axis=1)
    power = np.square(transform.real)
    power += np.square(transform.imag)
    return Spectrum(sr=sr, stft=stft, samples=samples, power=power)


def _feature(shared: Spectrum, feature: Feature) -> Matrix:
    match feature:
        case LogMel():
            return log_mel(shared, feature)
        case Mfcc():
            return mfcc(shared, feature)
        case Chroma():
            return chroma(shared, feature)
        case Rms():
            return rms(shared)
        case Zcr():
            return zcr(shared)
        case Pitch():
            return pitch(shared, feature)
        case _:
            assert_never(feature)


def log_mel(shared: Spectrum, feature: LogMel) -> Matrix:
    """``float32[frames, n_mels]`` in dB."""
    return _decibels(_mels(shared, feature), feature.top_db)


def mel_centres(sr: int, feature: LogMel) -> NDArray[np.float64]:
    """The frequency of each column of `log_mel`, ``float64[n_mels]`` in Hz."""
    return mel.edges(sr, feature.n_mels, feature.fmin, feature.fmax)[1:-1]


def mfcc(shared: Spectrum, feature: Mfcc) -> Matrix:
    """``float32[frames, n_mfcc * (1 + deltas)]``: the coefficients, then their first and second slope."""
    decibels = _decibels(_mels(shared, feature), top_db=80.0)
    coefficients: Matrix = scipy.fft.dct(decibels, axis=1, norm="ortho")[:, : feature.n_mfcc]
    slopes = [_slope(coefficients, order) for order in range(1, feature.deltas + 1)]
    return np.concatenate([coefficients, *slopes], axis=1) if slopes else coefficients


def chroma(shared: Spectrum, feature: Chroma) -> Matrix:
    """``float32[frames, n_chroma]``: each row scaled so that its largest value is 1."""
    raw = shared.power @ _chroma_bank(shared.sr, shared.stft.n_fft, feature.n_chroma)
    peak = raw.max(axis=1, keepdims=True)
    peak[peak < np.finfo(np.float32).tiny] = 1
    scaled: Matrix = raw / peak
    return scaled


def rms(shared: Spectrum) -> Matrix:
    """``float32[frames, 1]``, by Parseval's theorem from the windowed spectrum."""
    loudness: Matrix = np.sqrt(_energy(shared) / np.float32(shared.stft.n_fft))[:, np.newaxis]
    return loudness


def zcr(shared: Spectrum) -> Matrix:
    """``float32[frames, 1]``; the ends of the sound are repeated beyond it, so nothing changes there."""
    n_fft, hop_length = shared.stft.n_fft, shared.stft.hop_length
    audible = np.abs(shared.samples) > _ZERO
    negative = np.signbit(shared.samples) & audible
    changes = np.pad(negative[1:] != negative[:-1], (1 + n_fft // 2, n_fft // 2))
    total = np.concatenate([[0], np.cumsum(changes)])
    start = hop_length * np.arange(len(shared.power))
    # The first sample of a frame has no predecessor in it.
    count = total[start + n_fft] - total[start + 1]
    rate: Matrix = (count / n_fft).astype(np.float32)[:, None]
    return rate


def pitch(shared: Spectrum, feature: Pitch) -> Matrix:
    """``float32[frames, 3]``: voicing, octaves above the middle of the range, octaves above the clip's mean.

    The autocorrelation of a windowed frame, over that of its window, is 1 where the sound repeats itself;
    the power spectrum that is there already holds it (Boersma 1993, Accurate short-term analysis of the
    fundamental frequency). Nothing is smoothed over time: what follows can see more than one frame.
    """
    periods = _periods(shared.sr, shared.stft, feature)
    energy = np.maximum(_energy(shared), np.float32(_AMIN))
    periodic = _repeats(shared.power, periods)
    periodic /= energy[:, np.newaxis]
    middle = periodic[:, 1:-1]
    # What falls all the way is alike to itself a moment later, and has no period.
    is_peak = middle >= periodic[:, :-2]
    is_peak &= middle > periodic[:, 2:]
    score = middle - periods.cost
    score -= ~is_peak * _NEVER  # for less than `np.where` costs
    best = 1 + np.argmax(score, axis=1)
    lag = _top(periodic, best)
    each = np.arange(len(best))
    strength = np.where(is_peak[each, best - 1], periodic[each, best], 0)
    octaves = np.log2(shared.sr / (periods.lags[0] + lag) / np.sqrt(feature.fmin * feature.fmax))
    voicing = np.clip((strength - _UNVOICED) / (_VOICED - _UNVOICED), 0, 1)
    mean = (voicing @ octaves) / max(float(voicing.sum()), 1e-3)
    columns: Matrix = np.stack(
        [voicing, voicing * octaves, voicing * (octaves - mean)], axis=1
    ).astype(np.float32)
    return columns


def _repeats(power: Matrix, periods: "_Periods") -> Matrix:
    """The autocorrelation of each frame over that of the window, ``float32[frames, lags]``."""
    if periods.odd is None:
        return power @ periods.even
    # Up the spectrum, the cosine of an even lag is its own mirror image; that of an odd one, with the sign
    # changed. So the two halves are laid on each other, and half of the products are enough.
    half = power.shape[1] // 2
    low, high = power[:, :half].copy(), np.ascontiguousarray(power[:, : -half - 1 : -1])
    low[:, : periods.n_rumble] = 0
    repeats = np.empty((len(power), len(periods.lags)), np.float32)
    odd = int(periods.lags[0]) % 2
    repeats[:, 1 - odd :: 2] = (low - high) @ periods.odd
    low += high
    if half < power.shape[1] - half:
        low = np.concatenate([low, power[:, half : half + 1]], axis=1)
    repeats[:, odd::2] = low @ periods.even
    return repeats


def _energy(shared: Spectrum) -> NDArray[np.float32]:
    """The sum of the squares of each windowed frame, ``float32[frames]``."""
    energy: NDArray[np.float32] = shared.power @ _both_sides(shared.stft.n_fft)
    return energy


def _slope(columns: Matrix, order: int) -> Matrix:
    """How each column changes, ``float32[frames, n]`` (`librosa.feature.delta`): Savitzky and Golay 1964.

    To `_DELTA_WIDTH` frames a polynomial of degree ``order`` is fitted, whose derivative of that order is
    the same at all of them: at the ends, the first and the last fit stand for frames that have none.
    """
    reach = _DELTA_WIDTH // 2
    n_fits = len(columns) - 2 * reach
    if n_fits < 1:
        raise ValueError(
            f"a slope is taken over {_DELTA_WIDTH} frames, and there are {len(columns)}"
        )
    weights = enumerate(_slope_weights(order))
    middle = sum(weight * columns[at : at + n_fits] for at, weight in weights)
    slope: Matrix = np.pad(middle, ((reach, reach), (0, 0)), mode="edge")
    return slope


def _top(curves: Matrix, at: NDArray[np.intp]) -> NDArray[np.float64]:
    """Where the parabola through three points of each curve has its top, ``float64[n]``."""
    rows = np.arange(len(curves))
    before, here, after = (curves[rows, at + step].astype(np.float64) for step in (-1, 0, 1))
    bend = before - 2 * here + after
    shift = np.where(bend < 0, 0.5 * (before - after) / np.minimum(bend, -1e-9), 0.0)
    top: NDArray[np.float64] = at + np.clip(shift, -0.5, 0.5)
    return top


def _mels(shared: Spectrum, feature: LogMel | Mfcc) -> Matrix:
    """The power in each triangle of mel, ``float32[frames, n_mels]``."""
    power, sr, n_fft = shared.power, shared.sr, shared.stft.n_fft
    mels = np.empty((len(power), feature.n_mels), np.float32)
    for band in mel.bands(sr, n_fft, feature.n_mels, feature.fmin, feature.fmax):
        np.matmul(power[:, band.bins], band.weights, out=mels[:, band.mels])
    return mels


def _decibels(power: Matrix, top_db: float | None) -> Matrix:
    decibels: Matrix = np.float32(10) * np.log10(np.maximum(power, np.float32(_AMIN)))
    if top_db is None:
        return decibels
    floor = decibels.max() - np.float32(top_db)
    np.maximum(decibels, floor, out=decibels)
    return decibels


@cache
def _window(stft: Stft) -> Samples:
    """The raised cosine of that name, periodic, in the middle of ``n_fft`` samples."""
    mean = {"hann": 0.5, "hamming": 0.54}[stft.window]
    turn = 2 * np.pi * np.arange(stft.win_length) / stft.win_length
    taper = mean - (1 - mean) * np.cos(turn)
    before = (stft.n_fft - stft.win_length) // 2
    after = stft.n_fft - stft.win_length - before
    return constant(np.pad(taper, (before, after)))


@cache
def _both_sides(n_fft: int) -> NDArray[np.float32]:
    """What each bin of a power spectrum adds to the energy of its frame, ``float32[1 + n_fft / 2]``."""
    # Every bin but the first and (for an even n_fft) the last stands for its mirror image too.
    weights = np.full(1 + n_fft // 2, 2 / n_fft)
    weights[0] = 1 / n_fft
    if n_fft % 2 == 0:
        weights[-1] = 1 / n_fft
    return constant(weights)


@dataclass(frozen=True, slots=True, eq=False)
class _Periods:
    """What makes of a power spectrum its autocorrelation over that of the window, and at which lags.

    The inverse transform, of the few lags that a voice may have: as a product of matrices it costs less
    than a transform of all of them.
    """

    lags: NDArray[np.intp]
    """From one less than the shortest period to one more than the longest."""
    cost: NDArray[np.float32]
    """What each period costs, ``float32[lags - 2]``."""
    n_rumble: int
    """Bins below all voices. What is there takes part in the energy, and not in what repeats itself."""
    even: Matrix
    """For the even lags, ``float32[bins / 2, lags / 2]``; for all lags and bins if there is no ``odd``."""
    odd: Matrix | None
    """For the odd lags; None where ``n_fft`` is odd: such a spectrum has no middle to fold it at."""


@cache
def _periods(sr: int, stft: Stft, feature: Pitch) -> _Periods:
    lags = np.arange(int(sr / feature.fmax) - 1, feature.longest_lag(sr) + 2)
    n_bins = 1 + stft.n_fft // 2
    turn = 2 * np.pi * np.outer(np.arange(n_bins), lags) / stft.n_fft
    bank = _both_sides(stft.n_fft)[:, np.newaxis] * np.cos(turn)
    window = _window(stft)
    bank *= np.square(window).sum() / (np.square(np.abs(np.fft.rfft(window))) @ bank)
    n_rumble = int(np.ceil(0.7 * feature.fmin * stft.n_fft / sr))
    lags.setflags(write=False)
    cost = constant((feature.octave_cost * np.log2(lags / lags[0]))[1:-1])
    if stft.n_fft % 2:
        bank[:n_rumble] = 0
        return _Periods(lags, cost, n_rumble, constant(bank), None)
    even, odd = bank[: -(-n_bins // 2), lags % 2 == 0], bank[: n_bins // 2, lags % 2 == 1]
    return _Periods(lags, cost, n_rumble, constant(even), constant(odd))


@cache
def _slope_weights(order: int) -> NDArray[np.float32]:
    """What each frame adds to the slope of the one in their middle, ``float32[_DELTA_WIDTH]``."""
    reach = _DELTA_WIDTH // 2
    fit = np.linalg.pinv(np.vander(np.arange(-reach, reach + 1.0), order + 1, increasing=True))
    return constant(factorial(order) * fit[order])


@cache
def _chroma_bank(sr: int, n_fft: int, n_chroma: int) -> Matrix:
    """``float32[1 + n_fft / 2, n_chroma]``: to which pitch classes a bin belongs, the first being C.

    Each bin is a bump as wide as its distance to the next (Ellis 2007, "Chroma feature analysis and
    synthesis"), and counts for less the further it is from the fifth octave.
    """
    hertz = np.arange(1, n_fft) * sr / n_fft
    height = n_chroma * np.log2(hertz / (_A440 / 16))
    # 0 Hz has none: it is put far below the first, so that it is broad.
    height = np.concatenate([[height[0] - 1.5 * n_chroma], height])
    width = np.append(np.maximum(np.diff(height), 1), 1)[:, np.newaxis]
    half = np.round(n_chroma / 2)
    away = (height[:, np.newaxis] - np.arange(n_chroma) + half) % n_chroma - half
    bank = np.exp(-0.5 * np.square(2 * away / width))
    bank /= np.linalg.norm(bank, axis=1, keepdims=True)
    octave = height[:, np.newaxis] / n_chroma
    bank *= np.exp(-0.5 * np.square((octave - _CENTRE_OCTAVE) / _OCTAVE_WIDTH))
    a_to_c = 3 * (n_chroma // 12)
    return constant(np.roll(bank, -a_to_c, axis=1)[: 1 + n_fft // 2])
