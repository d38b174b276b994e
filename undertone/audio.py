"""Bytes, a file or an array -> mono float32 at the model's rate; the only door for sound.

Down-mix is the mean over channels, unless they cancel each other. Resampling is soxr's "HQ" (linear
phase, 20-bit), and nothing where the rates agree already. What comes out is finite, long enough and
not silent; whatever else is wrong was refused with an `undertone.errors.AudioError`.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import soxr
from numpy.typing import NDArray

from undertone import foreign, pcm, wav
from undertone.errors import AudioTooShort, NoSpeech, NotFinite, UnsupportedAudio
from undertone.limits import Limits, check_duration, check_format, check_size
from undertone.pcm import Encoding
from undertone.wav import Notice

__all__ = ["Audio", "Limits", "Notice", "check_usable", "decode", "from_array", "read"]

SILENCE: Final = 1e-4
"""Half the distance from trough to peak, of full scale: -80 dB. An offset (A-law's silence is one)
is no sound."""

LARGEST: Final = 2.0**32
"""Float samples may exceed full scale, even hold unscaled integers; beyond this they are garbage,
and their squares would overflow."""

CLIPPED_LEVEL: Final = 0.98
"""G.711 and 8-bit recordings clip a little below 1."""

CLIPPED_SHARE: Final = 0.001
CANCELLED_SHARE: Final = 0.01

_ARRAY_ENCODINGS: Final[dict[str, Encoding]] = {
    "uint8": "pcm_u8",
    "int16": "pcm_s16",
    "int32": "pcm_s32",
    "float32": "float32",
    "float64": "float64",
}


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """A recording as a model hears it, and what it was before.

    Attributes:
        samples: float32[n], mono; integer sources are within [-1, 1], floats may exceed it.
        sr: the rate of ``samples``, in Hz.
        duration_s: of the source, in seconds.
        sample_rate: of the source, in Hz.
        channels: of the source.
        encoding: of the source: one of `undertone.pcm.ENCODINGS`, or soundfile's names, such as
            ``flac_pcm_16``.
        warnings: ``data_length_clamped``, ``truncated_frame``, ``clipped``, ``phase_inverted``.
    """

    samples: NDArray[np.float32]
    sr: int
    duration_s: float
    sample_rate: int
    channels: int
    encoding: str
    warnings: tuple[Notice, ...] = ()


def decode(data: bytes | bytearray | memoryview, sr: int, limits: Limits | None = None) -> Audio:
    """A WAV file in memory, as a model hears it.

    Args:
        data: the whole file.
        sr: the model's rate, in Hz.
        limits: what it has to keep within; the defaults of `Limits` where left out.

    Raises:
        MalformedAudio, UnsupportedAudio, AudioTooLarge, AudioTooLong: it cannot be read.
        AudioTooShort, NoSpeech, NotFinite: it was read and is of no use.
    """
    limits = limits or Limits()
    info = wav.parse(data, limits)
    samples = wav.samples(data, info)
    return _conform(samples, info.sample_rate, info.encoding, sr, limits, info.warnings)


def read(path: str | os.PathLike[str], sr: int, limits: Limits | None = None) -> Audio:
    """A file as a model hears it: WAV, or FLAC, Ogg, MP3 and AIFF by way of soundfile.

    What a file is, its first bytes say, not its name.

    Args:
        path: where it lies.
        sr: the model's rate, in Hz.
        limits: what it has to keep within; the defaults of `Limits` where left out.

    Raises:
        OSError: it is not there, or may not be read.
        AudioError: as for `decode`.
    """
    limits = limits or Limits()
    with Path(path).open("rb") as file:
        if not foreign.recognises(file.peek(16)[:16]):
            data = file.read(limits.max_bytes + 1)
            check_size(max(len(data), os.fstat(file.fileno()).st_size), limits)
            return decode(data, sr, limits)
    samples, sample_rate, encoding = foreign.decode_file(path, limits=limits)
    return _conform(samples, sample_rate, encoding, sr, limits)


def from_array(
    samples: NDArray[Any], sample_rate: int, sr: int, limits: Limits | None = None
) -> Audio:
    """An array as a model hears it.

    Args:
        samples: [n] or [n, channels], of float32 or float64 (1.0 is full scale), int16, int32 or
            uint8 (their range is full scale; 128 is zero for uint8). Not changed.
        sample_rate: its rate, in Hz.
        sr: the model's rate, in Hz.
        limits: what it has to keep within; the defaults of `Limits` where left out.

    Raises:
        UnsupportedAudio: another dtype or shape, or a rate or a channel count not taken.
        AudioTooLong, AudioTooShort, NoSpeech, NotFinite: as for `decode`.
    """
    limits = limits or Limits()
    encoding = _ARRAY_ENCODINGS.get(samples.dtype.name)
    if encoding is None or samples.ndim not in (1, 2):
        raise UnsupportedAudio(
            f"An array of {samples.dtype.name} with {samples.ndim} dimensions is not taken; "
            f"pass [n] or [n, channels] of {', '.join(_ARRAY_ENCODINGS)}.",
            received={"dtype": samples.dtype.name, "shape": list(samples.shape)},
            allowed={"dtype": list(_ARRAY_ENCODINGS), "dimensions": [1, 2]},
        )
    frames = samples[:, np.newaxis] if samples.ndim == 1 else samples
    check_format(sample_rate, frames.shape[1], limits)
    check_duration(len(frames) / sample_rate, limits)
    return _conform(pcm.to_float(frames, encoding), sample_rate, encoding, sr, limits)


def check_usable(audio: Audio, limits: Limits | None = None) -> None:
    """Refuse a recording in which no emotion can be heard.

    Raises:
        AudioTooShort: it lasts less than ``limits.min_duration_s``.
        NoSpeech: it is silent: from trough to peak, it spans less than twice `SILENCE`.
    """
    limits = limits or Limits()
    if not audio.samples.size or audio.duration_s < limits.min_duration_s:
        raise AudioTooShort(
            f"The recording lasts {audio.duration_s * 1000:.0f} ms; "
            f"at least {limits.min_duration_s * 1000:.0f} ms are needed.",
            received={"duration_s": round(audio.duration_s, 4)},
            allowed={"min_duration_s": limits.min_duration_s},
        )
    amplitude = float(np.ptp(audio.samples)) / 2
    if amplitude < SILENCE:
        raise NoSpeech(
            "The recording is silent. Check the microphone, or that the right file was sent.",
            received={"amplitude": amplitude},
            allowed={"min_amplitude": SILENCE},
        )


def _conform(
    samples: NDArray[np.float32],
    sample_rate: int,
    encoding: str,
    sr: int,
    limits: Limits,
    warnings: tuple[Notice, ...] = (),
) -> Audio:
    """The one way from float32[n, channels] to an `Audio`, whatever the source was."""
    low, high = (float(samples.min()), float(samples.max())) if samples.size else (0.0, 0.0)
    if not (low > -LARGEST and high < LARGEST):  # NaN, which min and max hand on, is neither
        raise NotFinite(
            "The recording holds samples that are NaN, infinite or absurdly large. "
            "Export it again, as 16-bit PCM.",
            allowed={"max_absolute_value": LARGEST},
        )
    mono, cancelled = _down_mix(samples)
    if cancelled:
        warnings += (cancelled,)
    if max(-low, high) >= CLIPPED_LEVEL:
        # Clipping leaves flat tops: the very same extreme value again and again.
        edges = [edge for edge in (low, high) if abs(edge) >= CLIPPED_LEVEL]
        share = sum(np.count_nonzero(samples == edge) for edge in edges) / samples.size
        if share > CLIPPED_SHARE:
            detail = f"{share:.1%} of the samples are at full scale: it was recorded too loud."
            warnings += (Notice("clipped", detail),)
    if sample_rate != sr:
        mono = soxr.resample(mono, sample_rate, sr, "HQ")
    audio = Audio(
        samples=mono,
        sr=sr,
        duration_s=len(samples) / sample_rate,
        sample_rate=sample_rate,
        channels=samples.shape[1],
        encoding=encoding,
        warnings=warnings,
    )
    check_usable(audio, limits)
    return audio


def _down_mix(samples: NDArray[np.float32]) -> tuple[NDArray[np.float32], Notice | None]:
    """The mean of float32[n, channels] over channels, or the loudest one where they cancel."""
    channels = samples.shape[1]
    if channels == 1:
        return samples[:, 0], None
    mono = samples[:, 0].copy()
    for channel in range(1, channels):  # column by column: 40 times faster than mean(axis=1)
        mono += samples[:, channel]
    mono *= np.float32(1 / channels)
    energies = [float(np.dot(samples[:, c], samples[:, c])) for c in range(channels)]
    if np.dot(mono, mono) >= CANCELLED_SHARE * sum(energies) / channels:
        return mono, None
    notice = Notice(
        "phase_inverted", "The channels cancel each other; the loudest one was used alone."
    )
    return samples[:, int(np.argmax(energies))].copy(), notice
