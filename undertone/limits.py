"""How much sound is taken, checked on what a header says before memory is spent on samples."""

from dataclasses import dataclass
from typing import Final

from undertone.errors import AudioTooLarge, AudioTooLong, UnsupportedAudio

_DIGITS: Final = 15
"""Behind the point; more than a recording's length can need."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a recording has to keep within.

    Attributes:
        max_bytes: of the file or the upload. 25 MiB is 4.5 minutes of 16-bit mono at 48 kHz.
        max_duration_s: of the recording, in seconds.
        min_duration_s: below it nothing can be said; 0.1 s is shorter than most syllables.
        min_sr: of the recording, in Hz; at 4 kHz, speech has lost most of what carries emotion.
        max_sr: of the recording, in Hz.
        max_channels: of the recording.
    """

    max_bytes: int = 25 * 1024 * 1024
    max_duration_s: float = 600.0
    min_duration_s: float = 0.1
    min_sr: int = 4_000
    max_sr: int = 192_000
    max_channels: int = 8


def told(value: float, limit: float, digits: int = 1) -> str:
    """``value`` with ``digits`` behind the point, or as many more as keep it on its side of ``limit``."""
    while digits < _DIGITS and _side(float(f"{value:.{digits}f}"), limit) != _side(value, limit):
        digits += 1
    return f"{value:.{digits}f}"


def _side(value: float, limit: float) -> int:
    return (value > limit) - (value < limit)


def check_size(n_bytes: int, limits: Limits) -> None:
    """Refuse a file or an upload of too many bytes.

    Raises:
        AudioTooLarge: ``n_bytes`` is above ``limits.max_bytes``.
    """
    if n_bytes > limits.max_bytes:
        raise AudioTooLarge(
            f"The audio is {n_bytes} bytes; at most {limits.max_bytes} are taken. "
            "Send a shorter excerpt, or fewer bits or channels.",
            received={"bytes": n_bytes},
            allowed={"max_bytes": limits.max_bytes},
        )


def check_format(sample_rate: int, channels: int, limits: Limits) -> None:
    """Refuse a rate or a channel count that is not taken.

    Raises:
        UnsupportedAudio: ``sample_rate`` (Hz) or ``channels`` is outside the limits.
    """
    if not limits.min_sr <= sample_rate <= limits.max_sr:
        raise UnsupportedAudio(
            f"The sample rate is {sample_rate} Hz; "
            f"{limits.min_sr} to {limits.max_sr} Hz are taken. Resample the recording.",
            received={"sample_rate": sample_rate},
            allowed={"sample_rate": [limits.min_sr, limits.max_sr]},
        )
    if not 1 <= channels <= limits.max_channels:
        raise UnsupportedAudio(
            f"The recording has {channels} channels; 1 to {limits.max_channels} are taken.",
            received={"channels": channels},
            allowed={"channels": [1, limits.max_channels]},
        )


def check_duration(duration_s: float, limits: Limits) -> None:
    """Refuse a recording of too many seconds.

    Raises:
        AudioTooLong: ``duration_s`` is above ``limits.max_duration_s``.
    """
    if duration_s > limits.max_duration_s:
        raise AudioTooLong(
            f"The recording lasts {told(duration_s, limits.max_duration_s)} s; "
            f"at most {limits.max_duration_s:g} s are taken. Send it in parts.",
            received={"duration_s": float(told(duration_s, limits.max_duration_s, 3))},
            allowed={"max_duration_s": limits.max_duration_s},
        )
