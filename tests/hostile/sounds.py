"""WAV files without a flaw whose sound has some, or is none."""

import numpy as np
import scipy.signal

from tests.hostile.upload import SR, VOICE, Upload, heard, unusable
from undertone import wav

_SECOND = np.arange(SR) / SR
_TWO = np.arange(2 * SR) / SR
_ZEROS = np.zeros_like(VOICE)


def _float(samples: np.ndarray) -> bytes:
    return wav.encode(samples, SR, "float32")


def _with(value: float, n: int = 1) -> bytes:
    """The voice with ``n`` samples in its middle that are no numbers to work with."""
    samples = VOICE.astype(np.float32)
    samples[samples.size // 2 :][:n] = value
    return _float(samples)


def _channels(*columns: np.ndarray) -> bytes:
    return _float(np.stack(columns, axis=1))


def _sine(frequency: float, time: np.ndarray = _TWO) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency * time)


_NOISE = np.random.default_rng(8).normal(scale=0.1, size=2 * SR)
_TRIANGLE = sum(_sine(220 * 2 ** (step / 12)) / 3 for step in (0, 4, 7))

_NUMBERS: dict[str, Upload] = {
    "one NaN": unusable(_with(np.nan), "not_finite"),
    "NaN alone": unusable(_float(np.full(SR, np.nan)), "not_finite"),
    "one infinite sample": unusable(_with(np.inf), "not_finite"),
    "one that is infinite below": unusable(_with(-np.inf), "not_finite"),
    "one of 1e30": unusable(_with(1e30), "not_finite"),
    "a double beyond float": unusable(
        wav.encode(np.where(_SECOND == 0, 1e300, 0.1), SR, "float64"), "not_finite"
    ),
    "NaN in one channel of two": unusable(
        _channels(VOICE, np.full_like(VOICE, np.nan)), "not_finite"
    ),
    "denormal": unusable(_float(VOICE * 1e-40), "no_speech"),
    "integers that were not scaled": heard(_float(VOICE * 32_768), within=0.01),
}

_SILENCE: dict[str, Upload] = {
    **{
        f"silence as {encoding}": unusable(wav.encode(np.zeros(SR), SR, encoding), "no_speech")
        for encoding in ("pcm_u8", "pcm_s16", "pcm_s24", "pcm_s32", "float32", "mulaw", "alaw")
    },
    "an offset and nothing else": unusable(_float(np.full(SR, 0.25)), "no_speech"),
    "full scale and nothing else": unusable(_float(np.ones(SR)), "no_speech"),
    "one bit of noise": unusable(wav.encode(np.sign(_NOISE) / 32_768, SR), "no_speech"),
    "a voice of -90 dB": unusable(_float(VOICE * 3e-5), "no_speech"),
}

_NOBODY: dict[str, Upload] = {
    name: unusable(wav.encode(np.clip(samples, -1, 1), SR), "no_speech")
    for name, samples in {
        "a tone": _sine(440),
        "a low tone": _sine(110),
        "a tone beyond what is heard": _sine(7_500),
        "mains hum": _sine(50) + _sine(100) / 3 + _sine(150) / 5,
        "a square wave": np.sign(_sine(200)) * 0.5,
        "a sawtooth": 0.5 * scipy.signal.sawtooth(2 * np.pi * 130 * _TWO),
        "a sweep": 0.5 * scipy.signal.chirp(_TWO, 100, 2, 3_000),
        "a tone that trembles": _sine(300) * (1 + _sine(4)),
        "white noise": _NOISE,
        "quiet white noise": _NOISE / 50,
        "brown noise": 0.01 * np.cumsum(_NOISE),
        "noise that trembles": _NOISE * (1 + _sine(3)),
        "a busy line": _sine(425) * (_TWO % 0.48 < 0.24),
        "a tone in which NaN was made zero": np.where(_TWO > 1, 0, _sine(440)),
    }.items()
}

_DOUBTED: dict[str, Upload] = {
    "a chord": heard(wav.encode(_TRIANGLE, SR), "low_confidence", within=None),
}

_SHORT: dict[str, Upload] = {
    **{
        f"{milliseconds} ms of a voice": unusable(
            wav.encode(VOICE[4_000:][: milliseconds * SR // 1000], SR), "too_short"
        )
        for milliseconds in (1, 20, 99)
    },
    "100 ms of a voice": heard(wav.encode(VOICE[4_000:5_600], SR), "low_confidence", within=None),
    "100 ms of a tone": heard(wav.encode(_sine(440)[:1_600], SR), "low_confidence", within=None),
}

_ODD: dict[str, Upload] = {
    "a silent channel": heard(_channels(VOICE, _ZEROS), within=0.01),
    "a voice in the last of eight channels": heard(_channels(*[_ZEROS] * 7, VOICE), within=0.01),
    "a channel of noise one hears through": heard(
        _channels(VOICE, np.resize(_NOISE, VOICE.size) / 100), within=None
    ),
    "channels that cancel": heard(_channels(VOICE, -VOICE), "phase_inverted", within=0.01),
    "four channels that cancel in pairs": heard(
        _channels(VOICE, -VOICE, VOICE, -VOICE), "phase_inverted", within=0.01
    ),
    "an offset under the voice": heard(_float(VOICE + 0.05), within=None),
    "clipped": heard(wav.encode(8 * VOICE, SR), "clipped", within=None),
    "beyond full scale, in float": heard(_float(8 * VOICE), within=0.01),
    "at -40 dB": heard(_float(VOICE / 100), within=0.01),
    "upside down": heard(_float(-VOICE), within=0.01),
    "after two seconds of silence": heard(_float(np.pad(VOICE, (2 * SR, 0))), within=0.05),
    "before two seconds of silence": heard(_float(np.pad(VOICE, (0, 2 * SR))), within=0.05),
    "after a bump of the microphone": heard(
        _float(np.concatenate([np.full(160, 0.9), np.zeros(SR), VOICE])), within=None
    ),
    "in 20 s of silence": heard(_float(np.pad(VOICE, (9 * SR, 9 * SR))), within=None),
    "in 20 s of hiss": heard(
        _float(np.pad(VOICE, (9 * SR, 9 * SR)) + np.resize(_NOISE, 18 * SR + VOICE.size) / 200),
        within=None,
    ),
}

UPLOADS: dict[str, Upload] = {**_NUMBERS, **_SILENCE, **_NOBODY, **_DOUBTED, **_SHORT, **_ODD}
