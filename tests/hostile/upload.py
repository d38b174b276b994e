"""What an upload of the corpus is, and the clip that the valid ones are compared with."""

from dataclasses import dataclass, field
from functools import cache
from io import BytesIO

import numpy as np
import soundfile

from tests.support.riff import chunk, riff
from tests.support.sounds import hum
from undertone import pcm, wav

SR = 16_000
VOICE = hum(1.2)
"""``float64[n]`` at `SR`: what is said in every upload in which somebody speaks."""

PCM = pcm.from_float(VOICE, "pcm_s16").tobytes()
PLAIN = wav.encode(VOICE, SR)
DATA = chunk(b"data", PCM)


@dataclass(frozen=True, slots=True)
class Upload:
    """One body, and what the service has to say to it.

    Attributes:
        data: the body.
        status: the status of the answer.
        code: of the problem; None where there is none.
        warnings: the codes that come with an answer, exactly these.
        within: how far each probability may lie from that of ``like``; None where it is another sound.
        like: the file whose answer it has to get, too.
        headers: of the request.
        query: of the request.
    """

    data: bytes
    status: int = 200
    code: str | None = None
    warnings: tuple[str, ...] = ()
    within: float | None = 1e-6
    like: bytes = PLAIN
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "audio/wav"})
    query: dict[str, str] = field(default_factory=dict)


def malformed(data: bytes) -> Upload:
    """Breaks the rules of WAV."""
    return Upload(data, 400, "malformed_audio")


def unsupported(data: bytes) -> Upload:
    """Is no WAV, or none that is read."""
    return Upload(data, 415, "unsupported_audio")


def unusable(data: bytes, code: str) -> Upload:
    """Can be read, and holds nothing to hear."""
    return Upload(data, 422, code)


def heard(data: bytes, *warnings: str, within: float | None = 1e-6, like: bytes = PLAIN) -> Upload:
    """Is answered; as ``like`` is, unless ``within`` is None."""
    return Upload(data, warnings=warnings, within=within, like=like)


@cache
def voice_wav(encoding: pcm.Encoding, channels: int = 1, sr: int = SR) -> bytes:
    """The voice as a WAV file, the same in each channel."""
    return wav.encode(np.repeat(VOICE[:, None], channels, axis=1), sr, encoding)


@cache
def as_read(data: bytes) -> bytes:
    """What libsndfile reads out of a WAV file, at full precision."""
    samples, sr = soundfile.read(BytesIO(data), dtype="float32", always_2d=True)
    return wav.encode(samples, sr, "float32")


def file_of(header: bytes) -> bytes:
    """The voice under another fmt chunk."""
    return riff(header, DATA)
