"""Bytes, a file or an array -> mono float32 at the model's rate; the only door for sound.

Down-mix is the mean over channels, unless they cancel each other; resampling is that of
`undertone.resample`. Both go block by block, so that a long recording costs little more memory than
what comes out of it, which is finite, long enough and
not silent; whatever else is wrong was refused with an `undertone.errors.AudioError`.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from undertone import foreign, pcm, wav
from undertone.errors import AudioTooShort, NoSpeech, UnusableAudio
from undertone.limits import Limits, check_duration, check_format, check_size, told
from undertone.pcm import Encoding
from undertone.resample import Resampler, resample
from undertone.survey import Survey
from undertone.wav import Notice

__all__ = [
    "Audio",
    "Limits",
    "Notice",
    "check_usable",
    "decode",
    "decode_channels",
    "from_array",
    "open_audio",
    "open_channels",
    "read",
]

Sound: TypeAlias = str | os.PathLike[str] | bytes | NDArray[Any]
"""A path, the bytes of a WAV file, or samples ``[n]`` or ``[n, channels]``."""

SILENCE: Final = 1e-4
"""Half the distance from trough to peak, of full scale: -80 dB. An offset (A-law's silence is one)
is no sound."""

_SLACK: Final = 16
"""Samples by which a resampler may round up."""

BLOCK: Final = 2**18
"""Samples, of all channels, that are held as floats at a time: a clip is one block, ten minutes are many."""


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
        warnings: ``data_length_clamped``, ``truncated_frame``, ``joined_recordings``, ``clipped``,
            ``phase_inverted``.
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
    return _conform(_wav_source(data, limits or Limits()), sr, limits or Limits())


def decode_channels(
    data: bytes | bytearray | memoryview, sr: int, limits: Limits | None = None
) -> tuple[Audio | UnusableAudio, ...]:
    """Each channel of a WAV file for itself, as a model hears it: a call, recorded in stereo.

    Args:
        data: the whole file.
        sr: the model's rate, in Hz.
        limits: what it has to keep within; the defaults of `Limits` where left out.

    Returns:
        The channels in order. One in which there is nothing to hear is the error that says so.

    Raises:
        MalformedAudio, UnsupportedAudio, AudioTooLarge, AudioTooLong: it cannot be read.
        NotFinite: it holds samples that are no numbers.
    """
    limits = limits or Limits()
    return _channels(_wav_source(data, limits), sr, limits)


def read(path: str | os.PathLike[str], sr: int | None, limits: Limits | None = None) -> Audio:
    """A file as a model hears it: WAV, or FLAC, Ogg, MP3 and AIFF by way of soundfile.

    What a file is, its first bytes say, not its name. It is read once, so that it may be a pipe.

    Args:
        path: where it lies.
        sr: the model's rate, in Hz; None leaves the sound at its own.
        limits: what it has to keep within; the defaults of `Limits` where left out.

    Raises:
        OSError: it is not there, or may not be read.
        AudioError: as for `decode`.
    """
    limits = limits or Limits()
    source = _file_source(path, limits)
    return _conform(source, sr or source.sample_rate, limits)


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
    return _conform(_samples_source(samples, sample_rate, limits), sr, limits)


def open_audio(
    source: Sound, sr: int, source_sr: int | None = None, limits: Limits | None = None
) -> Audio:
    """A recording, whatever it comes as, as a model hears it.

    Args:
        source: a path, the bytes of a WAV file, or samples at ``source_sr``.
        sr: the model's rate, in Hz.
        source_sr: for samples only, in Hz.
        limits: what it has to keep within; the defaults of `Limits` where left out.

    Raises:
        AudioError, OSError: as for `read`, `decode` and `from_array`.
        TypeError: samples without their rate, or a rate for something that states its own.
    """
    limits = limits or Limits()
    return _conform(_source(source, source_sr, limits), sr, limits)


def open_channels(
    source: Sound, sr: int, source_sr: int | None = None, limits: Limits | None = None
) -> tuple[Audio, tuple[Audio | UnusableAudio, ...]]:
    """The same, and each of its channels for itself, as `decode_channels` has them; it is read once.

    Raises:
        AudioError, OSError, TypeError: as for `open_audio`.
    """
    limits = limits or Limits()
    opened = _source(source, source_sr, limits)
    return _conform(opened, sr, limits), _channels(opened, sr, limits)


def check_usable(audio: Audio, limits: Limits | None = None) -> None:
    """Refuse a recording in which no emotion can be heard.

    Raises:
        AudioTooShort: it lasts less than ``limits.min_duration_s``.
        NoSpeech: it is silent: from trough to peak, it spans less than twice `SILENCE`.
    """
    amplitude = float(np.ptp(audio.samples)) / 2 if audio.samples.size else 0.0
    require_sound(audio.duration_s, amplitude, limits or Limits())


def require_sound(duration_s: float, amplitude: float, limits: Limits) -> None:
    """Refuse a recording that is shorter than allowed (`AudioTooShort`) or silent (`NoSpeech`).

    Args:
        duration_s: how long it lasts, in seconds.
        amplitude: half the distance from trough to peak; 1.0 is full scale.
        limits: how short it may be.
    """
    if not duration_s or duration_s < limits.min_duration_s:
        raise AudioTooShort(
            f"The recording lasts {told(duration_s * 1000, limits.min_duration_s * 1000, 0)} ms; "
            f"at least {limits.min_duration_s * 1000:g} ms are needed.",
            received={"duration_s": float(told(duration_s, limits.min_duration_s, 4))},
            allowed={"min_duration_s": limits.min_duration_s},
        )
    if amplitude < SILENCE:
        raise NoSpeech(
            "The recording is silent. Check the microphone, or that the right file was sent.",
            received={"amplitude": amplitude},
            allowed={"min_amplitude": SILENCE},
        )


@dataclass(frozen=True, slots=True)
class _Source:
    """A recording before it is mixed and resampled; its samples are made block by block, each time."""

    blocks: Callable[[], Iterable[NDArray[np.float32]]]
    """float32[m, channels] each."""
    n_blocks: int
    n_frames: int
    sample_rate: int
    channels: int
    encoding: str
    warnings: tuple[Notice, ...] = ()


def _source(source: Sound, source_sr: int | None, limits: Limits) -> _Source:
    if isinstance(source, list | tuple):
        raise TypeError("samples come as an array: predict(numpy.array(samples), sr=16000)")
    if isinstance(source, np.ndarray):
        if source_sr is None:
            raise TypeError("samples need their rate: predict(samples, sr=16000)")
        return _samples_source(source, source_sr, limits)
    if source_sr is not None:
        raise TypeError("sr is for samples only: a file states its own rate")
    return (
        _wav_source(source, limits) if isinstance(source, bytes) else _file_source(source, limits)
    )


def _file_source(path: str | os.PathLike[str], limits: Limits) -> _Source:
    # Opened once: of a pipe, nothing that was read comes again.
    with Path(path).open("rb") as file:
        data = file.read(limits.max_bytes + 1)
        check_size(max(len(data), os.fstat(file.fileno()).st_size), limits)
    if not foreign.recognises(data[:16]):
        return _wav_source(data, limits)
    found = foreign.decode(data, limits=limits)
    return _array_source(
        found.samples, "float32", found.sample_rate, found.encoding, found.warnings
    )


def _samples_source(samples: NDArray[Any], sample_rate: int, limits: Limits) -> _Source:
    encoding = pcm.array_encoding(samples)
    frames = samples[:, np.newaxis] if samples.ndim == 1 else samples
    check_format(sample_rate, frames.shape[1], limits)
    check_duration(len(frames) / sample_rate, limits)
    return _array_source(frames, encoding, sample_rate, encoding)


def _wav_source(data: bytes | bytearray | memoryview, limits: Limits) -> _Source:
    info = wav.parse(data, limits)
    return _array_source(
        wav.stored(data, info), info.encoding, info.sample_rate, info.encoding, info.warnings
    )


def _array_source(
    frames: NDArray[Any],
    stored: Encoding,
    sample_rate: int,
    encoding: str,
    warnings: tuple[Notice, ...] = (),
) -> _Source:
    """Frames ``[n, channels]`` as they are stored: nothing is converted before it is needed."""
    n_frames, channels = frames.shape
    step = max(1, BLOCK // channels)

    def blocks() -> Iterator[NDArray[np.float32]]:
        for start in range(0, n_frames, step):
            yield pcm.to_float(frames[start : start + step], stored)

    n_blocks = -(-n_frames // step)
    # What fits into one block is converted once, and not again for the second look.
    whole = list(blocks()) if n_blocks == 1 else None
    return _Source(
        blocks if whole is None else lambda: whole,
        n_blocks,
        n_frames,
        sample_rate,
        channels,
        encoding,
        warnings,
    )


def _conform(source: _Source, sr: int, limits: Limits) -> Audio:
    """The one way from a recording to an `Audio`, whatever the source was."""
    survey = Survey(source.channels)
    for frames in source.blocks():
        survey.add(frames)
    mono = map(survey.mix, source.blocks())
    audio = _audio(source, mono, sr, survey.warnings)
    check_usable(audio, limits)
    return audio


def _channels(source: _Source, sr: int, limits: Limits) -> tuple[Audio | UnusableAudio, ...]:
    return tuple(_channel(source, channel, sr, limits) for channel in range(source.channels))


def _channel(source: _Source, channel: int, sr: int, limits: Limits) -> Audio | UnusableAudio:
    survey = Survey(1)
    for frames in source.blocks():
        survey.add(frames[:, channel : channel + 1])
    mono = (frames[:, channel] for frames in source.blocks())
    audio = _audio(source, mono, sr, survey.warnings)
    try:
        check_usable(audio, limits)
    except UnusableAudio as error:
        return error
    return audio


def _audio(
    source: _Source, mono: Iterable[NDArray[np.float32]], sr: int, warnings: tuple[Notice, ...]
) -> Audio:
    if source.n_blocks == 1:
        (block,) = mono
        samples = resample(block, source.sample_rate, sr)
    else:
        samples = _resampled_in_blocks(source, mono, sr)
    return Audio(
        samples=samples,
        sr=sr,
        duration_s=source.n_frames / source.sample_rate,
        sample_rate=source.sample_rate,
        channels=source.channels,
        encoding=source.encoding,
        warnings=source.warnings + warnings,
    )


def _resampled_in_blocks(
    source: _Source, mono: Iterable[NDArray[np.float32]], sr: int
) -> NDArray[np.float32]:
    resampler = Resampler(source.sample_rate, sr)
    # Filled part by part: a list of parts would be all of it once more.
    samples = np.empty(source.n_frames * sr // source.sample_rate + _SLACK, np.float32)
    length = 0
    for part in resampler.resampled(mono):
        samples[length : length + part.size] = part
        length += part.size
    return samples[:length]
