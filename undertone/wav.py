"""WAV in and out: our own walk over the RIFF container, so that no library sees hostile bytes.

The container is that of *Multimedia Programming Interface and Data Specifications 1.0* (IBM and
Microsoft, 1991) and WAVE_FORMAT_EXTENSIBLE that of Microsoft's *Multiple Channel Audio Data and
WAVE Files* (2001). The walk visits each chunk once, never more than `MAX_CHUNKS` of them, and looks
at nothing but headers; sample memory is taken by `samples`, after every limit was checked.
"""

import struct
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from undertone import pcm
from undertone.errors import MalformedAudio, UnsupportedAudio
from undertone.limits import Limits, check_duration, check_format, check_size
from undertone.pcm import Encoding
from undertone.sniff import looks_like

MAX_CHUNKS: Final = 1024
"""Real files have a dozen; 25 MiB of empty chunks would be three million."""

_STREAMED: Final = 0x7FFF_0000  # lengths from here on stand for "not known yet"
_EXTENSIBLE: Final = 0xFFFE
_SUBFORMAT_TAIL: Final = bytes.fromhex("000000001000800000aa00389b71")
_ENCODINGS: Final[dict[tuple[int, int], Encoding]] = {
    (1, 8): "pcm_u8",
    (1, 16): "pcm_s16",
    (1, 24): "pcm_s24",
    (1, 32): "pcm_s32",
    (3, 32): "float32",
    (3, 64): "float64",
    (6, 8): "alaw",
    (7, 8): "mulaw",
}
_FORMAT_NAMES: Final = {
    1: "PCM",
    2: "Microsoft ADPCM",
    3: "float",
    6: "A-law",
    7: "mu-law",
    17: "IMA ADPCM",
    49: "GSM 6.10",
    80: "MPEG",
    85: "MP3",
    255: "AAC",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a user should know about a recording that was taken all the same.

    Attributes:
        code: a stable, machine-readable name.
        detail: a sentence for a person.
    """

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class WavInfo:
    """What a WAV file says about itself, corrected by how long it really is.

    Attributes:
        encoding: how a sample is stored.
        sample_rate: in Hz.
        channels: how many samples there are in a frame.
        n_frames: how many whole frames the file really holds.
        data_offset: where they begin, in bytes from the start of the file.
        data_length: how many bytes they take.
        warnings: where the file broke its own rules and could be read all the same.
    """

    encoding: Encoding
    sample_rate: int
    channels: int
    n_frames: int
    data_offset: int
    data_length: int
    warnings: tuple[Notice, ...] = ()

    @property
    def duration_s(self) -> float:
        """How long the recording lasts, in seconds."""
        return self.n_frames / self.sample_rate


def parse(data: bytes | bytearray | memoryview, limits: Limits | None = None) -> WavInfo:
    """Read the headers of a WAV file, and nothing else.

    A data chunk that claims more bytes than there are, or none although there are some, is how a
    program writes that streams or that was cut off: it runs to the end of the file, with a warning.

    Args:
        data: the whole file.
        limits: what it has to keep within; the defaults of `Limits` where left out.

    Raises:
        AudioTooLarge: it is too many bytes, or (AudioTooLong) too many seconds.
        UnsupportedAudio: it is no WAV, or of an encoding, a rate or a channel count not taken.
        MalformedAudio: it is empty, cut inside its headers, or its headers contradict each other.
    """
    limits = limits or Limits()
    view = memoryview(data).cast("B")
    check_size(len(view), limits)
    _check_container(view)

    fmt: memoryview | None = None
    payload: tuple[int, int] | None = None  # offset, declared length
    position = 12
    for _ in range(MAX_CHUNKS):
        if position + 8 > len(view) or (fmt is not None and payload is not None):
            break
        name, length = struct.unpack_from("<4sI", view, position)
        position += 8
        if name == b"fmt " and fmt is None:
            fmt = view[position : position + length]
        elif name == b"data" and payload is None:
            payload = position, length
        position += length + length % 2  # chunks begin at even offsets
    if fmt is None or payload is None:
        missing = "fmt" if fmt is None else "data"
        reason = (
            "it was cut off, or its chunk lengths are wrong"
            if position + 8 > len(view)
            else f"only so many of its chunks are looked at ({MAX_CHUNKS})"
        )
        raise MalformedAudio(
            f"The WAV file has no {missing} chunk: {reason}.",
            received={"bytes": len(view), "missing_chunk": missing},
        )

    encoding, sample_rate, channels = _read_format(fmt, limits)
    offset, declared = payload
    available = len(view) - offset
    # An empty data chunk is honest where RIFF's own length accounts for whatever follows it.
    (riff_length,) = struct.unpack_from("<I", view, 4)
    streamed = declared == 0 and not len(view) <= riff_length + 8 < _STREAMED
    length = available if streamed else min(declared, available)
    frame_bytes = pcm.DTYPE[encoding].itemsize * channels
    n_frames, rest = divmod(length, frame_bytes)
    check_duration(n_frames / sample_rate, limits)

    warnings = []
    if length != declared:
        warnings.append(
            Notice(
                "data_length_clamped",
                f"The header announces {declared} bytes of sound and the file holds {length}; "
                "all of them were read.",
            )
        )
    if rest:
        warnings.append(
            Notice("truncated_frame", f"The last {rest} bytes are no whole frame; left out.")
        )
    return WavInfo(
        encoding, sample_rate, channels, n_frames, offset, n_frames * frame_bytes, tuple(warnings)
    )


def samples(data: bytes | bytearray | memoryview, info: WavInfo) -> NDArray[np.float32]:
    """The sound of a WAV file.

    Args:
        data: the whole file.
        info: what `parse` said of it.

    Returns:
        float32[n_frames, channels], a new array; integer encodings in [-1, 1), see `undertone.pcm`.
    """
    return pcm.to_float(stored(data, info), info.encoding)


def stored(data: bytes | bytearray | memoryview, info: WavInfo) -> NDArray[Any]:
    """The samples as they lie in a WAV file, for `undertone.pcm.to_float`: a view, nothing is copied.

    Args:
        data: the whole file.
        info: what `parse` said of it.

    Returns:
        [n_frames, channels], of the dtype in `undertone.pcm.DTYPE`.
    """
    count = info.n_frames * info.channels
    raw = np.frombuffer(data, pcm.DTYPE[info.encoding], count, info.data_offset)
    return raw.reshape(info.n_frames, info.channels)


def encode(
    samples: NDArray[np.floating], sample_rate: int, encoding: Encoding = "pcm_s16"
) -> bytes:
    """A WAV file.

    >>> parse(encode(np.zeros((800, 2)), 8_000)).duration_s
    0.1

    Args:
        samples: float[n] or float[n, channels]; 1.0 is full scale, and clipped beyond it unless the
            encoding is float.
        sample_rate: in Hz.
        encoding: how to store the samples.

    Returns:
        The whole file: fmt, then data, nothing else.
    """
    frames = samples[:, np.newaxis] if samples.ndim == 1 else samples
    dtype = pcm.DTYPE[encoding]
    tag, bits = next(key for key, name in _ENCODINGS.items() if name == encoding)
    channels, width = frames.shape[1], dtype.itemsize
    fmt = struct.pack(
        "<HHIIHH",
        tag,
        channels,
        sample_rate,
        sample_rate * channels * width,
        channels * width,
        bits,
    )
    body = pcm.from_float(frames, encoding).tobytes()
    padded = body + bytes(len(body) % 2)
    return b"".join(
        (
            struct.pack("<4sI4s", b"RIFF", 20 + len(fmt) + len(padded), b"WAVE"),
            struct.pack("<4sI", b"fmt ", len(fmt)) + fmt,
            struct.pack("<4sI", b"data", len(body)) + padded,
        )
    )


def _check_container(view: memoryview) -> None:
    """Refuse by name what is no RIFF/WAVE."""
    if not view:
        raise MalformedAudio("The audio is empty: 0 bytes were received.", received={"bytes": 0})
    head = bytes(view[:256])
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return
    if len(head) < 12 and b"RIFF".startswith(head[:4]):
        raise MalformedAudio(
            f"The WAV file is cut off inside its header, after {len(head)} bytes.",
            received={"bytes": len(head)},
        )
    name = looks_like(head)
    raise UnsupportedAudio(
        f"This looks like {name}, not like WAV. Convert it to WAV first."
        if name
        else "This is not a WAV file: it does not begin with RIFF and WAVE.",
        received={"container": name or "unknown"},
        allowed={"container": ["WAV"]},
    )


def _read_format(fmt: memoryview, limits: Limits) -> tuple[Encoding, int, int]:
    """Encoding, sample rate in Hz and channels, from the body of a fmt chunk."""
    if len(fmt) < 16:
        raise MalformedAudio(
            f"The fmt chunk of the WAV file has {len(fmt)} bytes; it takes at least 16.",
            received={"fmt_bytes": len(fmt)},
        )
    tag, channels, sample_rate, _, block_align, bits = struct.unpack_from("<HHIIHH", fmt)
    if tag == _EXTENSIBLE:
        if len(fmt) < 40:
            raise MalformedAudio(
                f"The extensible fmt chunk has {len(fmt)} bytes; it takes at least 40.",
                received={"fmt_bytes": len(fmt)},
            )
        # Valid bits (24 in 32, say) are the upper ones, so the container's width says it all.
        if fmt[26:40] == _SUBFORMAT_TAIL:
            (tag,) = struct.unpack_from("<H", fmt, 24)
    encoding = _ENCODINGS.get((tag, bits))
    if encoding is None:
        name = _FORMAT_NAMES.get(tag, "unknown")
        raise UnsupportedAudio(
            f"The WAV file holds {bits}-bit {name} (format {tag:#06x}), which is not read. "
            "Convert it to 16-bit PCM.",
            received={"format": f"{tag:#06x}", "bits": bits},
            allowed={"encoding": list(pcm.ENCODINGS)},
        )
    check_format(sample_rate, channels, limits)
    if block_align != channels * bits // 8:
        raise MalformedAudio(
            f"The WAV header contradicts itself: {channels} channels of {bits} bits take "
            f"{channels * bits // 8} bytes a frame, and it says {block_align}.",
            received={"block_align": block_align, "channels": channels, "bits": bits},
            allowed={"block_align": channels * bits // 8},
        )
    return encoding, sample_rate, channels
