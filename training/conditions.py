"""What happens to a recording on its way: loudness, telephones, codecs, noise, rooms, clipping.

Pure functions of a sound and of the chance that belongs to it, for measuring how much a model loses, and
for copies of training clips.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
import soundfile
import soxr

from training.errors import RunError
from undertone.preprocess import Samples

PLAIN: Final = "as recorded"

TELEPHONE_HZ: Final = 8_000
MP3_KBPS: Final = 64
RT60_S: Final = 0.4
SILENCE_S: Final = 0.5
CLIPPED: Final = 0.1
"""The share of the peaks that is cut off."""

N_BABBLE: Final = 6
"""Voices that babble together."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A sound, and what may be added to it.

    Attributes:
        samples: ``float32[n]``, mono.
        sr: its rate, in Hz.
        voices: of others, ``float32[m]`` each at the same rate, who talk in the background.
        seed: of the noise and of the room.
    """

    samples: Samples
    sr: int
    voices: Sequence[Samples]
    seed: int


Sound = tuple[Samples, int]
"""``float32[n]`` and its rate, in Hz."""


def louder(scene: Scene, by_db: float) -> Sound:
    """All of it by so many dB; beyond full scale, too, as float samples may be."""
    return scene.samples * np.float32(10 ** (by_db / 20)), scene.sr


def telephone(samples: Samples, sr: int) -> Sound:
    """8 kHz and mu-law (ITU-T G.711)."""
    narrow = soxr.resample(samples, sr, TELEPHONE_HZ)
    return _through(narrow, TELEPHONE_HZ, "WAV", "ULAW")


def mp3(scene: Scene) -> Sound:
    """MP3 at 64 kb/s and back."""
    # libsndfile takes a level between 0 and 1 for a constant rate: from the most that the format
    # has at this sampling rate (MPEG-1 from 32 kHz on, MPEG-2 below) down to the least.
    most, least = (320, 32) if scene.sr >= 32_000 else (160, 8)
    level = (most - MP3_KBPS) / (most - least)
    options = {"bitrate_mode": "CONSTANT", "compression_level": level}
    return _through(scene.samples, scene.sr, "MP3", "MPEG_LAYER_III", **options)


def in_noise(scene: Scene, snr_db: float) -> Sound:
    """White noise, so many dB below the clip's RMS."""
    noise = np.random.default_rng(scene.seed).standard_normal(scene.samples.size)
    return mixed(scene.samples, noise.astype(np.float32), snr_db), scene.sr


def in_babble(scene: Scene, snr_db: float) -> Sound:
    """The sum of the voices, each as loud as the others, so many dB below the clip's RMS."""
    return mixed(scene.samples, babble(scene.voices, scene.samples.size), snr_db), scene.sr


def babble(voices: Sequence[Samples], size: int) -> Samples:
    """``size`` samples of all ``voices``, each as loud as the others and begun again where it ends."""
    together = np.zeros(size, np.float32)
    for voice in voices:
        together += np.resize(voice / max(_rms(voice), 1e-9), size)
    return together


def in_room(samples: Samples, sr: int, rt60_s: float, generator: np.random.Generator) -> Samples:
    """In a room with that RT60: noise that dies away, with as much energy as the direct sound.

    Polack's model: "Modifying chambers to play billiards" (1992).
    """
    time = np.arange(round(rt60_s * sr)) / sr
    tail = generator.standard_normal(time.size) * 10 ** (-3 * time / rt60_s)
    response = np.concatenate([[1.0], tail[1:] / np.sqrt(np.sum(np.square(tail[1:])))])
    size = samples.size + response.size - 1
    spectrum = np.fft.rfft(samples, size) * np.fft.rfft(response, size)
    heard: Samples = np.fft.irfft(spectrum, size).astype(np.float32)
    return heard


def in_silence(scene: Scene) -> Sound:
    """Half a second of digital silence before and after."""
    return np.pad(scene.samples, round(SILENCE_S * scene.sr)), scene.sr


def clipped(samples: Samples, share: float) -> Samples:
    """The highest ``share`` of the peaks (the largest samples between two changes of sign), cut off."""
    starts = np.flatnonzero(np.diff(np.signbit(samples), prepend=not np.signbit(samples[0])))
    peaks = np.maximum.reduceat(np.abs(samples), starts)
    limit = np.float32(np.quantile(peaks, 1 - share))
    return np.clip(samples, -limit, limit)


CONDITIONS: Final[Mapping[str, Callable[[Scene], Sound]]] = {
    PLAIN: lambda scene: (scene.samples, scene.sr),
    "20 dB louder": lambda scene: louder(scene, 20),
    "20 dB softer": lambda scene: louder(scene, -20),
    "telephone, 8 kHz mu-law": lambda scene: telephone(scene.samples, scene.sr),
    "MP3, 64 kb/s": mp3,
    "white noise, 20 dB": lambda scene: in_noise(scene, 20),
    "white noise, 10 dB": lambda scene: in_noise(scene, 10),
    "white noise, 5 dB": lambda scene: in_noise(scene, 5),
    "babble, 20 dB": lambda scene: in_babble(scene, 20),
    "babble, 10 dB": lambda scene: in_babble(scene, 10),
    "babble, 5 dB": lambda scene: in_babble(scene, 5),
    "room, RT60 0.4 s": lambda scene: (
        in_room(scene.samples, scene.sr, RT60_S, np.random.default_rng(scene.seed)),
        scene.sr,
    ),
    "silence around it, 0.5 s": in_silence,
    "10 % of peaks clipped": lambda scene: (clipped(scene.samples, CLIPPED), scene.sr),
}


def chosen(beginnings: Sequence[str]) -> list[str]:
    """The conditions whose names begin so; all where nothing is asked for.

    Raises:
        RunError: none does.
    """
    for beginning in beginnings:
        if not any(name.startswith(beginning) for name in CONDITIONS):
            raise RunError(f"no condition {beginning!r}; there are: {'; '.join(CONDITIONS)}")
    return [name for name in CONDITIONS if not beginnings or name.startswith(tuple(beginnings))]


def _through(samples: Samples, sr: int, container: str, subtype: str, **options: object) -> Sound:
    """Written to a file in memory, and read again."""
    file = BytesIO()
    peak = max(1.0, float(np.abs(samples).max()))  # a coder cuts off what is beyond full scale
    soundfile.write(file, samples / peak, sr, format=container, subtype=subtype, **options)
    file.seek(0)
    decoded, rate = soundfile.read(file, dtype="float32")
    return decoded, rate


def mixed(samples: Samples, noise: Samples, snr_db: float) -> Samples:
    """``samples`` in ``noise``, ``float32[n]`` both, ``snr_db`` below their RMS."""
    gain = _rms(samples) / max(_rms(noise), 1e-9) * 10 ** (-snr_db / 20)
    both: Samples = samples + noise * np.float32(gain)
    return both


def _rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
