"""Is there a voice in this to hear an emotion in? Told from the sound alone, before a model is asked.

A model that learnt from speech gives an answer to anything, and often a sure one. What tells a voice
from tones, music, clicks and noise is change: a mouth moves all the time. Six numbers say how much,
over the frames (32 ms, every 16 ms) that are loud enough to count, between 100 and 4000 Hz, which even a
telephone carries:

- ``gliding``: share of frames with the overtones of a pitch of 70 to 500 Hz that is not the pitch
  of the frame before, and near it: voices glide, instruments step or stay;
- ``movement``: the same among frames with a pitch alone, however many overtones;
- ``periodicity``: how strongly frames repeat themselves at their pitch, on average;
- ``mixture``: how much the entropy of the spectrum varies: vowels are lines, consonants are noise;
- ``colour``: how much the shape of the spectrum varies over the clip: vowels differ;
- ``flux``: how much that shape changes from one frame to the next.

A logistic rule adds them up; `python -m benchmarks.speech` fits it on one half of the speakers and of
the sounds, and measures it on the other. Where it is sure that nobody speaks, the clip is
refused; where it is not sure that somebody does, the answer carries a warning. Pure numpy, about half a
millisecond for 3 s.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from undertone.audio import SILENCE
from undertone.constant import constant
from undertone.errors import NoSpeech
from undertone.frames import energies, framed
from undertone.wav import Notice

FRAME_S: Final = 0.032
HOP_S: Final = 0.016
BAND_HZ: Final = (100.0, 4_000.0)
RUMBLE_HZ: Final = 60.0
"""Below it is mains hum and wind, which must not decide which frames are loud."""
PITCH_HZ: Final = (70.0, 500.0)

REFUSABLE_S: Final = 0.5
"""Of sound that counts; less than that says too little to refuse anybody."""

HUSHED_PERIODICITY: Final = 0.5
HUSHED_COLOUR: Final = 4.0
"""No pitch, and yet the vowels of a voice: a whisper is doubted, never refused. Of noise that nobody
whispers, the spectrum hardly changes (a colour of 1 to 3)."""

_N_BANDS: Final = 12
_FAINT: Final = 1e-3
"""Of the energy of the loudest frame, 30 dB below: what has less does not count."""
_FEW: Final = 16
_OUTLIERS: Final = 3
"""Frames that may be louder than what counts as loudest: a bump of the microphone is no reference."""
_FLOOR_DB: Final = 60.0
_TINY: Final = 1e-12
_UNSCALED: Final = 2.0**10
"""Samples that reach further are integers, as large as `undertone.survey.LARGEST`: powers of them squared,
as the entropy of a frame has them, are more than a float32 holds."""
_PERIODIC: Final = 0.5
_FIRST_PEAK: Final = 0.85
"""Of the best: the shortest period that repeats nearly as well as any is the pitch."""
_ENTROPY: Final = (1.2, 3.6)
"""Of a frame with overtones, in nats: between a single line and noise."""
_GLIDE_SEMITONES: Final = (0.03, 2.0)
"""What a voice may do in 16 ms."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What the rule looks at; the module says what each is."""

    gliding: float
    movement: float
    periodicity: float
    mixture: float
    colour: float
    flux: float


WEIGHTS: Final = Signs(
    gliding=7.521,
    movement=11.110,
    periodicity=5.730,
    mixture=2.541,
    colour=0.604,
    flux=1.723,
)
BIAS: Final = -20.779
"""With `WEIGHTS`, as fitted by `python -m benchmarks.speech --fit`."""

REFUSED_BELOW: Final = -3.5
"""Of the evidence, in nats: four in five sounds that nobody speaks are refused by it. More would be had at
the price of people who speak in a noisy or echoing room, who are doubted rather than refused."""
DOUBTED_BELOW: Final = 0.8
"""Three in a thousand clips lie below."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether there is speech in a sound.

    Attributes:
        evidence: log odds for speech, as the rule has them; minus infinity for silence.
        reason: why no emotion should be looked for, or None.
        warning: why an answer should be taken with care, or None.
    """

    evidence: float
    reason: Literal["no_speech"] | None = None
    warning: Literal["low_confidence"] | None = None


def judge(samples: NDArray[np.float32], sr: int) -> Verdict:
    """Whether somebody speaks in a short clip, or in a window of a longer one.

    A sentence in a minute of something else is found by judging the minute in windows; `heed` says
    what their verdicts come to.

    Args:
        samples: float32[n], mono, of any level; meant for half a second to six.
        sr: its rate, in Hz; at least 8000.
    """
    extent = float(np.ptp(samples)) if samples.size else 0.0
    if extent < 2 * SILENCE:
        return Verdict(-math.inf, reason="no_speech")
    if extent > _UNSCALED:
        samples = np.ldexp(samples, -math.frexp(extent)[1])
    power, loud = _loud_frames(samples, sr)
    found = _signs(power, loud, sr)
    evidence = weigh(found)
    hushed = found.periodicity < HUSHED_PERIODICITY and found.colour > HUSHED_COLOUR
    enough = np.count_nonzero(loud) * HOP_S >= REFUSABLE_S
    if evidence < REFUSED_BELOW and enough and not hushed:
        return Verdict(evidence, reason="no_speech")
    return Verdict(evidence, warning="low_confidence" if evidence < DOUBTED_BELOW else None)


def heed(verdicts: Iterable[Verdict]) -> tuple[Notice, ...]:
    """What to tell about a recording of which these are the parts that its answer is made of.

    One part in which somebody speaks is enough.

    Returns:
        A warning ``low_confidence`` where it is doubtful that somebody speaks; otherwise nothing.

    Raises:
        NoSpeech: nobody does.
    """
    verdict = max(verdicts, key=lambda each: (each.reason is None, each.evidence))
    if verdict.reason:
        raise NoSpeech(
            "Nobody speaks in the recording: it sounds like tones, music or noise. "
            "Check the microphone, or that the right file was sent.",
            received={"speech_evidence": round(max(verdict.evidence, -99.0), 2)},
            allowed={"min_speech_evidence": REFUSED_BELOW},
        )
    if verdict.warning is None:
        return ()
    detail = "It is doubtful that somebody speaks here; the answer may mean nothing."
    return (Notice(verdict.warning, detail),)


def signs(samples: NDArray[np.float32], sr: int) -> Signs:
    """What the rule looks at, of one piece of sound; ``float32[n]`` that is not silent."""
    return _signs(*_loud_frames(samples, sr), sr)


def weigh(signs: Signs) -> float:
    """The log odds for speech."""
    return BIAS + (
        WEIGHTS.gliding * signs.gliding
        + WEIGHTS.movement * signs.movement
        + WEIGHTS.periodicity * signs.periodicity
        + WEIGHTS.mixture * signs.mixture
        + WEIGHTS.colour * signs.colour
        + WEIGHTS.flux * signs.flux
    )


def _loud_frames(
    samples: NDArray[np.float32], sr: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The power spectra of the frames that count, ``float32[loud, bins]``, and which those are."""
    n_fft, hop = _even(FRAME_S * sr), round(HOP_S * sr)
    if samples.size < n_fft:
        samples = np.pad(samples, (0, n_fft - samples.size))
    frames = framed(samples, n_fft, hop)
    chosen = _not_faint(frames, n_fft * energies(samples, n_fft, hop), sr)
    power = _band_power(frames if chosen is None else frames[chosen], sr)
    energy = power.sum(axis=1)
    loud = energy > _loudest(energy) * _FAINT
    if not loud.any():
        loud = energy == energy.max()
    if chosen is None:
        return power[loud], loud
    among_all = np.zeros(len(frames), np.bool_)
    among_all[chosen[loud]] = True
    return power[loud], among_all


def _not_faint(
    frames: NDArray[np.float32], most: NDArray[np.float32], sr: int
) -> NDArray[np.intp] | None:
    """Which frames may be loud; None where that is not worth knowing.

    Half of a clip is often silence around the words, and the transform is most of the work. What a frame
    has in the band is at most what it has altogether, untapered (Parseval): ``most``. What counts as
    loudest is at least that of a few frames. So what is left out is never loud, and never among the loudest.
    """
    if len(frames) < 4 * _FEW:
        return None
    few = np.argpartition(most, -_FEW)[-_FEW:]
    least = _loudest(_band_power(frames[few], sr).sum(axis=1)) * _FAINT
    chosen = np.flatnonzero(most >= least)
    return chosen if len(chosen) < 0.8 * len(frames) else None


def _band_power(frames: NDArray[np.float32], sr: int) -> NDArray[np.float32]:
    """The power spectra of frames up to the end of the band, without rumble: ``float32[n, bins]``."""
    n_fft = frames.shape[1]
    spectrum = scipy.fft.rfft(frames * _taper(n_fft), axis=1)[:, : _n_bins(sr, n_fft)]
    power: NDArray[np.float32] = np.square(spectrum.real)
    power += np.square(spectrum.imag)
    power[:, : math.ceil(RUMBLE_HZ * n_fft / sr)] = 0
    return power


def _loudest(energy: NDArray[np.float32]) -> np.float32:
    """The energy of the loudest frame that is no outlier."""
    rank = max(0, energy.size - 1 - _OUTLIERS)
    loudest: np.float32 = np.partition(energy, rank)[rank]
    return loudest


def _signs(power: NDArray[np.float32], loud: NDArray[np.bool_], sr: int) -> Signs:
    n_fft = _even(FRAME_S * sr)
    decibels = 10 * np.log10(power @ _band_means(sr, n_fft) + _TINY)
    np.maximum(decibels, decibels.max() - _FLOOR_DB, out=decibels)
    shape = decibels - decibels.mean(axis=1, keepdims=True)

    total = power.sum(axis=1) + np.float32(_TINY)
    entropy = -np.log(np.einsum("ij,ij->i", power, power) / total**2 + np.float32(_TINY))

    periodicity, pitch = _pitch(power, sr, n_fft)
    voiced = periodicity > _PERIODIC
    rich = (entropy > _ENTROPY[0]) & (entropy < _ENTROPY[1])
    follows = np.diff(np.flatnonzero(loud)) == 1
    step = 12 * np.abs(np.diff(np.log2(pitch)))
    glides = (step > _GLIDE_SEMITONES[0]) & (step < _GLIDE_SEMITONES[1])
    vocal = voiced & rich
    pairs = vocal[1:] & vocal[:-1] & follows
    n_pairs, n_glides = int(pairs.sum()), int((pairs & glides).sum())
    return Signs(
        gliding=n_glides / len(power),
        movement=n_glides / n_pairs if n_pairs else 0.0,
        periodicity=float(periodicity.mean()),
        mixture=float(entropy.std()),
        colour=float(shape.std(axis=0).mean()),
        flux=float(np.median(np.abs(np.diff(shape, axis=0)))) if len(shape) > 1 else 0.0,
    )


def _pitch(
    power: NDArray[np.float32], sr: int, n_fft: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How well each frame repeats itself, at most 1 or so, and how often in a second.

    The autocorrelation, over that of the window (Boersma 1993, "Accurate short-term analysis of the
    fundamental frequency"), searched from the shortest period to the longest. Its samples are as far
    apart as a signal of this bandwidth needs them.
    """
    n_lags = 2 * (power.shape[1] - 1)
    rate = sr * n_lags / n_fft
    shortest, longest = int(rate / PITCH_HZ[1]), math.ceil(rate / PITCH_HZ[0])
    repeats = power @ _period_bank(n_fft, n_lags, shortest - 1, longest + 1)
    around = repeats[:, 1:] / (repeats[:, :1] + np.float32(_TINY))
    before, here, after = around[:, :-2], around[:, 1:-1], around[:, 2:]
    peaks = np.where((here >= before) & (here >= after), here, np.float32(-1))
    best = peaks.max(axis=1, keepdims=True)
    first = np.argmax(peaks >= np.where(best > 0, _FIRST_PEAK * best, best), axis=1)
    each = np.arange(len(power))
    left, top, right = before[each, first], here[each, first], after[each, first]
    # A parabola through the three puts the period between samples; flat ones stay where they are.
    bend = left - 2 * top + right
    bend = np.where(bend < -_TINY, bend, np.float32(-1))
    period = shortest + first + np.clip((left - right) / (2 * bend), -1, 1)
    return peaks[each, first], rate / period


def _even(n_samples: float) -> int:
    return 2 * round(n_samples / 2)


def _n_bins(sr: int, n_fft: int) -> int:
    """Of the spectrum up to the end of the band."""
    return min(math.ceil(BAND_HZ[1] * n_fft / sr), n_fft // 2) + 1


@cache
def _taper(n_fft: int) -> NDArray[np.float32]:
    return constant(np.hanning(n_fft + 1)[:-1])


@cache
def _period_bank(n_fft: int, n_lags: int, first: int, last: int) -> NDArray[np.float32]:
    """What makes of a power spectrum its autocorrelation, circular over ``n_lags``: ``float32[bins, lags]``.

    At lag 0, then from ``first`` to ``last`` over that of the window: of a transform of all lags most
    would be thrown away.
    """
    lags = np.array([0, *range(first, last + 1)])
    n_bins = n_lags // 2 + 1
    bank = 2 / n_lags * np.cos(2 * np.pi * np.outer(np.arange(n_bins), lags) / n_lags)
    bank[[0, -1]] /= 2  # all others stand for their mirror images, too
    window = np.abs(scipy.fft.rfft(_taper(n_fft), n_fft)[:n_bins]) ** 2 @ bank
    bank[:, 1:] /= window[1:] / window[0]
    return constant(bank)


@cache
def _band_means(sr: int, n_fft: int) -> NDArray[np.float32]:
    """What takes the mean of a power spectrum in each band, ``float32[bins, bands]``; evenly in mel."""
    low, high = np.log1p(np.array(BAND_HZ) / 700)
    mel = np.linspace(low, high, _N_BANDS + 1)
    edges = 700 * np.expm1(mel)
    frequency = np.fft.rfftfreq(n_fft, 1 / sr)[: _n_bins(sr, n_fft), None]
    inside = (frequency >= edges[:-1]) & (frequency < edges[1:])
    return constant(inside / inside.sum(axis=0))
