"""How long an MP3 file is, found by a walk from frame to frame.

libsndfile believes what a Xing or Info frame at the beginning says, and where there is none it
guesses from the size of the file and of the first frame: ten times too much, or a quarter. It never
reads further than that, so that of files which were joined all but the first would be lost. The walk
counts, and `with_length` writes what it counted where libsndfile looks.

The frames are those of ISO/IEC 11172-3 and 13818-3, layer III, and of the extension to low rates that
is known as MPEG 2.5.
"""

import re
import struct
from dataclasses import dataclass
from itertools import islice
from typing import Final

_BITRATES: Final = {  # kbit/s by index, of MPEG 1 and of its versions for lower rates
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES: Final = (44_100, 48_000, 32_000)  # Hz, of MPEG 1
_HALVED: Final = {3: 0, 2: 1, 0: 2}  # how often, by the bits of the version
_HEADER: Final = 4
_VBRI: Final = 36  # where Fraunhofer's encoder always writes its own
_ID3: Final = 10

_ANY: Final = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]")
"""With what a frame of layer III begins."""

_MAX_GAPS: Final = 1_000
_MAX_LOOKS: Final = 1_000
"""Gaps between frames, and places in one that look like a frame and are none, after which the rest of a
file counts as no sound: a walk has an end."""


@dataclass(frozen=True, slots=True)
class Length:
    """What there is between the first frame and the last.

    Attributes:
        begin: where the first frame of sound begins, in bytes; one that only announces is before that.
        n_frames: how many whole frames of sound there are.
        n_samples: how many samples of each channel they hold.
        sample_rate: in Hz.
        announced: how many frames the file says that there are; None where it does not say.
        rest: how many bytes there are of a frame that was cut off at the end of the file.
        is_stated: whether the file announces its length, rightly and in a way that libsndfile reads.
    """

    begin: int
    n_frames: int
    n_samples: int
    sample_rate: int
    announced: int | None
    rest: int
    is_stated: bool

    @property
    def duration_s(self) -> float:
        """How long the sound lasts, in seconds."""
        return self.n_samples / self.sample_rate


@dataclass(frozen=True, slots=True)
class _Header:
    """The four bytes with which each frame begins."""

    length: int
    """Of the frame, in bytes."""
    n_samples: int
    sample_rate: int
    side_length: int
    """Of what stands between the header and the sound, in bytes."""


def measure(data: bytes) -> Length | None:
    """Walk through an MP3 file; nothing is decoded.

    Args:
        data: the whole file.

    Returns:
        What there is in it; None where no whole frame of layer III is found that says how long it is.
    """
    start = _next(data, _after_id3(data), _ANY)
    first = None if start is None else _header(data, start)
    if start is None or first is None:
        return None
    alike = _alike(data[start : start + _HEADER])
    announced = _announced(data[start : start + first.length], first)
    position: int | None = start if announced is None else start + first.length
    begin: int | None = None
    n_frames = rest = gaps = 0
    while position is not None and position < len(data) and gaps < _MAX_GAPS:
        header = _header(data, position) if alike.match(data, position) else None
        if header is None:
            gaps += 1
            position = _next(data, position, alike)
        elif position + header.length > len(data):
            rest = len(data) - position
            break
        else:
            begin = position if begin is None else begin
            n_frames += 1
            position += header.length
    if begin is None:
        return None
    n_samples = n_frames * first.n_samples
    # Some count the frame that announces the others, too; VBRI is passed over.
    is_stated = (
        announced in (n_frames, n_frames + 1) and data[start + _VBRI : start + _VBRI + 4] != b"VBRI"
    )
    return Length(begin, n_frames, n_samples, first.sample_rate, announced, rest, is_stated)


def with_length(data: bytes, length: Length) -> bytes:
    """The file with a frame before it that announces what `measure` counted."""
    head = bytearray(data[length.begin : length.begin + _HEADER])
    head[1] |= 1  # no checksum
    bitrates = _BITRATES[_is_first_version(head[1])]
    head[2] = bitrates.index(64) << 4 | head[2] & 0x0C  # a size that holds what is to be said
    header = _header(bytes(head), 0)
    assert header is not None
    tag = struct.pack(">4sII", b"Info", 1, length.n_frames)
    frame = bytes(head) + bytes(header.side_length) + tag
    return frame.ljust(header.length, b"\0") + data[length.begin :]


def _next(data: bytes, position: int, pattern: re.Pattern[bytes]) -> int | None:
    """Where the next frame begins that has another one behind it, as none has that is a coincidence."""
    for found in islice(pattern.finditer(data, position), _MAX_LOOKS):
        header = _header(data, found.start())
        if header is None:
            continue
        end = found.start() + header.length
        if end == len(data) or pattern.match(data, end):
            return found.start()
    return None


def _header(data: bytes, position: int) -> _Header | None:
    if len(data) < position + _HEADER:
        return None
    _, second, third, fourth = data[position : position + _HEADER]
    index, rate = third >> 4, third >> 2 & 3
    version, layer = second >> 3 & 3, second >> 1 & 3
    if version not in _HALVED or layer != 1 or index in (0, 15) or rate == 3:
        return None
    first_version, mono = _is_first_version(second), fourth >> 6 == 3
    sample_rate = _RATES[rate] >> _HALVED[version]
    n_samples = 1152 if first_version else 576
    bitrate = 1000 * _BITRATES[first_version][index]
    length = n_samples // 8 * bitrate // sample_rate + (third >> 1 & 1)
    side_length = (17 if mono else 32) if first_version else (9 if mono else 17)
    return _Header(length, n_samples, sample_rate, side_length)


def _is_first_version(second: int) -> bool:
    return second >> 3 & 3 == 3


def _alike(head: bytes) -> re.Pattern[bytes]:
    """What each further frame begins with: the version, layer and rate of the first one."""
    seconds = {head[1] & 0xFE, head[1] | 1}
    thirds = (third for third in range(256) if third & 0x0C == head[2] & 0x0C)
    choices = [
        b"[" + b"".join(re.escape(bytes([each])) for each in s) + b"]" for s in (seconds, thirds)
    ]
    return re.compile(b"\xff" + b"".join(choices), re.DOTALL)


def _announced(frame: bytes, header: _Header) -> int | None:
    """How many frames follow, if ``frame`` is one that says it."""
    tag = frame[_HEADER + header.side_length :]
    if tag[:4] in (b"Xing", b"Info") and len(tag) >= 12:
        flags, n_frames = struct.unpack_from(">II", tag, 4)
        return n_frames if flags & 1 else 0
    if frame[_VBRI : _VBRI + 4] == b"VBRI" and len(frame) >= _VBRI + 18:
        return int(struct.unpack_from(">I", frame, _VBRI + 14)[0])
    return None


def _after_id3(data: bytes) -> int:
    """Where the tags end that stand before the sound; their length is written in 7 bits a byte."""
    position = 0
    while data[position : position + 3] == b"ID3" and len(data) >= position + _ID3:
        length = 0
        for each in data[position + 6 : position + _ID3]:
            length = length << 7 | each & 0x7F
        position += _ID3 + length
    return position
