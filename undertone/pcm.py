"""Sample data of every encoding that is read, as float32, and back.

Integers map to [-1, 1): an n-bit sample is divided by 2**(n-1), unsigned bytes are shifted to zero
first. Floats are left as they are. G.711 expands to the 16-bit values that telephony software uses
(the 14-bit mu-law and 13-bit A-law values of the recommendation, shifted to 16), over 32768.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from undertone.errors import UnsupportedAudio

Encoding = Literal["pcm_u8", "pcm_s16", "pcm_s24", "pcm_s32", "float32", "float64", "mulaw", "alaw"]
ENCODINGS: Final[tuple[Encoding, ...]] = get_args(Encoding)

# Three bytes as an unsigned low one and a signed high pair: numpy has no 24-bit integer.
_S24: Final = np.dtype([("low", "u1"), ("high", "<i2")])

DTYPE: Final[Mapping[Encoding, np.dtype[Any]]] = {
    "pcm_u8": np.dtype("u1"),
    "pcm_s16": np.dtype("<i2"),
    "pcm_s24": _S24,
    "pcm_s32": np.dtype("<i4"),
    "float32": np.dtype("<f4"),
    "float64": np.dtype("<f8"),
    "mulaw": np.dtype("u1"),
    "alaw": np.dtype("u1"),
}
"""How one sample lies in memory: little-endian, packed."""

ARRAY_ENCODINGS: Final[Mapping[str, Encoding]] = {
    "uint8": "pcm_u8",
    "int16": "pcm_s16",
    "int32": "pcm_s32",
    "float32": "float32",
    "float64": "float64",
}
"""What the samples of an array are, by the name of its dtype."""


def _expand_mulaw() -> NDArray[np.float32]:
    """Mu-law codes to values: ITU-T Recommendation G.711 (11/88), tables 2a and 2b.

    A code is sent inverted: a sign (1 is positive), a 3-bit segment and a 4-bit step. Segments
    double in width from 2 (of ±8159), and an offset of 33 makes each one start at a power of two.
    """
    code = ~np.arange(256) & 0xFF
    segment, step = code >> 4 & 7, code & 15
    magnitude = (((2 * step + 33) << segment) - 33) * 4
    return (np.where(code & 0x80, -magnitude, magnitude) / 32768).astype(np.float32)


def _expand_alaw() -> NDArray[np.float32]:
    """A-law codes to values: ITU-T Recommendation G.711 (11/88), tables 1a and 1b.

    A code is sent with its even bits inverted: a sign (1 is positive), a 3-bit segment and a 4-bit
    step. The first two segments share one width, 2 (of ±4096); from there each one doubles.
    """
    code = np.arange(256) ^ 0x55
    segment, step = code >> 4 & 7, code & 15
    linear = 2 * step + 1
    magnitude = np.where(segment == 0, linear, (linear + 32) << np.maximum(segment - 1, 0)) * 8
    return (np.where(code & 0x80, magnitude, -magnitude) / 32768).astype(np.float32)


# One byte has only 256 meanings: looking them up is the fastest way to all three.
_TABLE: Final[Mapping[Encoding, NDArray[np.float32]]] = {
    "pcm_u8": ((np.arange(256) - 128) / 128).astype(np.float32),
    "mulaw": _expand_mulaw(),
    "alaw": _expand_alaw(),
}

_INTEGER_SCALE: Final[Mapping[Encoding, float]] = {
    "pcm_s16": 2.0**15,
    "pcm_s24": 2.0**23,
    "pcm_s32": 2.0**31,
}


def array_encoding(samples: NDArray[Any], dimensions: tuple[int, ...] = (1, 2)) -> Encoding:
    """What the samples of an array are.

    Args:
        samples: [n] or [n, channels].
        dimensions: how many it may have.

    Raises:
        UnsupportedAudio: it is of another dtype or shape.
    """
    encoding = ARRAY_ENCODINGS.get(samples.dtype.name)
    if encoding is None or samples.ndim not in dimensions:
        shapes = " or ".join(("[n]", "[n, channels]")[number - 1] for number in dimensions)
        raise UnsupportedAudio(
            f"An array of {samples.dtype.name} with {samples.ndim} dimensions is not taken; "
            f"pass {shapes} of {', '.join(ARRAY_ENCODINGS)}.",
            received={"dtype": samples.dtype.name, "shape": list(samples.shape)},
            allowed={"dtype": list(ARRAY_ENCODINGS), "dimensions": list(dimensions)},
        )
    return encoding


def to_float(raw: NDArray[Any], encoding: Encoding) -> NDArray[np.float32]:
    """Samples as they were stored, as numbers.

    Args:
        raw: any shape, of the dtype in `DTYPE` (of any byte order, but for pcm_s24).
        encoding: what they mean.

    Returns:
        A new float32 array of the same shape. Doubles beyond float32 become infinite.
    """
    if encoding in _TABLE:
        return np.take(_TABLE[encoding], raw)
    if encoding == "pcm_s24":
        values = raw["high"].astype(np.float32)
        values *= np.float32(256)
        values += raw["low"]  # exact: float32 holds every 24-bit integer
    else:
        with np.errstate(over="ignore"):
            values = raw.astype(np.float32)
    if encoding in _INTEGER_SCALE:
        values *= np.float32(1 / _INTEGER_SCALE[encoding])
    return values


def from_float(samples: NDArray[np.floating], encoding: Encoding) -> NDArray[Any]:
    """The inverse of `to_float`: each sample becomes the code whose value lies nearest.

    What lies beyond the largest code becomes the largest code, except in float encodings.

    Args:
        samples: any shape, finite.
        encoding: what to make of them.

    Returns:
        An array of the same shape and the dtype in `DTYPE`.
    """
    dtype = DTYPE[encoding]
    if encoding in _TABLE:
        order = np.argsort(_TABLE[encoding], kind="stable")
        values = _TABLE[encoding][order]
        middles = (values[1:] + values[:-1]) / 2
        return order[np.searchsorted(middles, samples, side="right")].astype(dtype)
    if encoding not in _INTEGER_SCALE:
        return samples.astype(dtype)
    scale = _INTEGER_SCALE[encoding]
    integers = np.rint(samples.astype(np.float64) * scale).clip(-scale, scale - 1).astype(np.int64)
    if encoding != "pcm_s24":
        return integers.astype(dtype)
    packed = np.empty(integers.shape, dtype)
    packed["low"] = integers & 0xFF
    packed["high"] = integers >> 8
    return packed
