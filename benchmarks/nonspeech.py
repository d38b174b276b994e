"""Sounds that nobody speaks: tones, chords, sweeps, clicks, hum, noises; each made from its seed.

They stand in for what reaches a service by mistake: a test tone, music on hold, a dial tone, an open
line, a fan. All are synthesised; recorded music and rooms are not among them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.signal
from numpy.random import Generator
from numpy.typing import NDArray

Wave = NDArray[np.float64]
"""``float64[n]``; how loud it is does not matter before `make` has scaled it."""

RATES: Final = (8_000, 16_000, 22_050, 44_100, 48_000)
LEVELS_DB: Final = (-40.0, -3.0)
"""Of the peak, re full scale."""
SECONDS: Final = (0.4, 8.0)


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """One of them.

    Attributes:
        kind: a name in `KINDS`.
        samples: float64[n], within full scale.
        sr: in Hz.
    """

    kind: str
    samples: Wave
    sr: int


def make(seed: int) -> Sound:
    """The sound of this seed: kinds take turns, and rate, length, level and fades are drawn."""
    kind = list(KINDS)[seed % len(KINDS)]
    random = np.random.default_rng(seed)
    sr = int(random.choice(RATES))
    seconds = np.exp(random.uniform(*np.log(SECONDS)))
    time = np.arange(round(seconds * sr)) / sr
    wave = KINDS[kind](time, random)
    wave = _faded(wave - wave.mean(), sr, random)
    wave /= np.abs(wave).max()
    if random.random() < 0.5:  # half of them over the noise of a channel
        wave += random.normal(scale=10 ** (-random.uniform(30, 60) / 20), size=wave.size)
        wave /= np.abs(wave).max()
    return Sound(kind, wave * 10 ** (random.uniform(*LEVELS_DB) / 20), sr)


def tone(time: Wave, random: Generator) -> Wave:
    """A sine."""
    return _sine(time, _log_uniform(random, 60, 3_500))


def harmonic_tone(time: Wave, random: Generator) -> Wave:
    """What an oscillator gives: square, sawtooth, triangle or a pulse train."""
    phase = 2 * np.pi * _log_uniform(random, 60, 1_500) * time
    shape = random.integers(4)
    if shape == 0:
        return scipy.signal.square(phase, random.uniform(0.1, 0.9))
    if shape == 3:
        return np.sin(phase) ** 15
    return scipy.signal.sawtooth(phase, (0.5, 1.0)[shape - 1])


def dual_tone(time: Wave, random: Generator) -> Wave:
    """The keys of a telephone, dialled by a machine: 697 to 941 Hz with 1209 to 1633 Hz."""
    low, high = np.array([697, 770, 852, 941]), np.array([1209, 1336, 1477, 1633])
    return _in_steps(
        time,
        random.uniform(0.08, 0.3),
        lambda part: (
            (_sine(part, random.choice(low)) + _sine(part, random.choice(high)))
            * (np.arange(part.size) < 0.6 * part.size)
        ),
    )


def beeps(time: Wave, random: Generator) -> Wave:
    """A busy line, an alarm: a tone that goes on and off."""
    period, share = random.uniform(0.15, 1.0), random.uniform(0.2, 0.8)
    return _sine(time, _log_uniform(random, 200, 3_000)) * (time % period < share * period)


def chord(time: Wave, random: Generator) -> Wave:
    """Three or four notes of an organ, held."""
    return _notes(time, _chord(random), random)


def chords(time: Wave, random: Generator) -> Wave:
    """One chord after the other, as music has them."""
    decay = random.choice([0.0, 1.0, 4.0])
    return _in_steps(
        time,
        random.uniform(0.25, 1.2),
        lambda part: _notes(part, _chord(random), random) * np.exp(-decay * (part - part[0])),
    )


def melody(time: Wave, random: Generator) -> Wave:
    """Single notes, plucked."""
    root = _log_uniform(random, 80, 500)
    decay = random.uniform(1, 10)
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12])
    return _in_steps(
        time,
        random.uniform(0.12, 0.6),
        lambda part: (
            _notes(part, [root * 2 ** (random.choice(scale) / 12)], random)
            * np.exp(-decay * (part - part[0]))
        ),
    )


def sweep(time: Wave, random: Generator) -> Wave:
    """A sine that goes up or down, evenly in Hz or in octaves."""
    edges = sorted((_log_uniform(random, 40, 3_500), _log_uniform(random, 40, 3_500)))
    start, end = edges if random.random() < 0.5 else reversed(edges)
    method = str(random.choice(["linear", "logarithmic"]))
    return scipy.signal.chirp(time, start, time[-1], end, method=method)


def siren(time: Wave, random: Generator) -> Wave:
    """A tone, with or without overtones, whose pitch swings."""
    pitch = _log_uniform(random, 100, 1_500) * 2 ** (
        random.uniform(0.02, 0.8) * _sine(time, _log_uniform(random, 0.2, 8))
    )
    phase = 2 * np.pi * np.cumsum(pitch) * (time[1] - time[0])
    return np.sin(phase) if random.random() < 0.7 else scipy.signal.sawtooth(phase, 0.5)


def trembling_tone(time: Wave, random: Generator) -> Wave:
    """A tone, with or without overtones, that swells and fades as fast as syllables do."""
    carrier = (tone if random.random() < 0.5 else harmonic_tone)(time, random)
    return carrier * _tremor(time, random)


def clicks(time: Wave, random: Generator) -> Wave:
    """Impulses, in time or at random, dry or ringing."""
    wave = np.zeros_like(time)
    rate = _log_uniform(random, 1, 40)
    if random.random() < 0.5:
        wave[:: max(1, round(wave.size / time[-1] / rate))] = 1
    else:
        wave[random.integers(0, wave.size, max(1, round(rate * time[-1])))] = 1
    sr = 1 / (time[1] - time[0])
    ring = np.exp(-np.arange(round(0.02 * sr)) / (random.uniform(0.0005, 0.004) * sr))
    if random.random() < 0.5:
        ring *= random.normal(size=ring.size)
    return np.asarray(scipy.signal.fftconvolve(wave, ring)[: wave.size])


def hum(time: Wave, random: Generator) -> Wave:
    """Mains hum or an engine: a low tone with overtones, hardly drifting."""
    pitch = random.choice([50.0, 60.0, 100.0, 120.0, _log_uniform(random, 40, 150)])
    drift = 1 + random.choice([0.0, 0.02]) * _sine(time, random.uniform(0.1, 0.5))
    phase = 2 * np.pi * np.cumsum(pitch * drift) * (time[1] - time[0])
    overtones = range(1, int(random.integers(2, 20)))
    return np.sum([np.sin(k * phase) * random.uniform(0.1, 1) / k for k in overtones], axis=0)


def white_noise(time: Wave, random: Generator) -> Wave:
    """As much of every Hz."""
    return _noise(time.size, random, 0.0)


def pink_noise(time: Wave, random: Generator) -> Wave:
    """As much of every octave."""
    return _noise(time.size, random, 0.5)


def brown_noise(time: Wave, random: Generator) -> Wave:
    """White noise, summed: -6 dB an octave."""
    return _noise(time.size, random, 1.0)


def trembling_noise(time: Wave, random: Generator) -> Wave:
    """Noise that swells and fades: waves, wind, a train."""
    return _noise(time.size, random, random.uniform(0, 1)) * _tremor(time, random)


def noise_bursts(time: Wave, random: Generator) -> Wave:
    """Noise of one colour that goes on and off: a drum machine, a printer."""
    period, decay = random.uniform(0.1, 0.8), random.uniform(5, 40)
    return _noise(time.size, random, random.uniform(0, 1)) * np.exp(-decay * (time % period))


def band_noise(time: Wave, random: Generator) -> Wave:
    """Noise of a band: a fan, a hiss, a waterfall."""
    sr = 1 / (time[1] - time[0])
    low = _log_uniform(random, 60, 1_500)
    edges = (low, min(low * random.uniform(1.5, 6), 0.45 * sr))
    filters = scipy.signal.butter(2, edges, "bandpass", fs=sr, output="sos")
    return np.asarray(scipy.signal.sosfilt(filters, _noise(time.size, random, 0.0)))


KINDS: Final[dict[str, Callable[[Wave, Generator], Wave]]] = {
    function.__name__.replace("_", " "): function
    for function in (
        *(tone, harmonic_tone, dual_tone, beeps, chord, chords, melody, sweep, siren),
        *(trembling_tone, clicks, hum, white_noise, pink_noise, brown_noise, trembling_noise),
        *(noise_bursts, band_noise),
    )
}
"""What there is, by name."""


def _sine(time: Wave, frequency: float) -> Wave:
    return np.sin(2 * np.pi * frequency * time)


def _log_uniform(random: Generator, low: float, high: float) -> float:
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def _noise(size: int, random: Generator, slope: float) -> Wave:
    """Noise whose amplitude falls with frequency to the power of ``slope``, from 20 Hz or so on."""
    spectrum = np.fft.rfft(random.normal(size=size))
    return np.fft.irfft(spectrum / np.maximum(np.arange(spectrum.size), 20) ** slope, size)


def _tremor(time: Wave, random: Generator) -> Wave:
    depth, rate = random.uniform(0.3, 1.0), _log_uniform(random, 1, 10)
    return 1 - depth * (0.5 + 0.5 * _sine(time, rate))


def _chord(random: Generator) -> list[float]:
    root = _log_uniform(random, 80, 400)
    kinds = ([0, 4, 7], [0, 3, 7], [0, 4, 7, 10], [0, 7, 12], [0, 5, 9])
    steps = kinds[random.integers(len(kinds))]
    return [root * 2 ** (step / 12) for step in steps]


def _notes(time: Wave, pitches: list[float], random: Generator) -> Wave:
    fade = random.uniform(0.2, 1.0)
    overtones = range(1, int(random.integers(2, 9)))
    return np.sum(
        [fade**k * _sine(time, k * pitch) for pitch in pitches for k in overtones], axis=0
    )


def _in_steps(time: Wave, seconds: float, play: Callable[[Wave], Wave]) -> Wave:
    """What is played anew every so many seconds."""
    step = max(2, round(seconds / (time[1] - time[0])))
    return np.concatenate([play(time[at : at + step]) for at in range(0, time.size, step)])


def _faded(wave: Wave, sr: int, random: Generator) -> Wave:
    """``wave`` faded in and out, each over up to half a second, or not at all."""
    faded = wave.copy()
    for end in (faded, faded[::-1]):
        size = min(round(random.choice([0.0, 0.01, 0.1, 0.5]) * sr), wave.size // 2)
        end[:size] *= np.sin(np.linspace(0, np.pi / 2, size)) ** 2
    return faded
