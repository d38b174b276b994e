"""The specification of what a model hears: one frozen value that says everything between sound and features.

It is written in a recipe, travels inside the bundle, and is all that `undertone.preprocess` and
`undertone.features` look at: a model is served with exactly what it was trained with.
"""

import hashlib
import json
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

from undertone.frames import n_centred

SPEC_VERSION: Final = 1
"""Counts changes of meaning: a bundle of another version is refused, never guessed at."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Centre(_Frozen):
    """Take an offset away: what a cheap sound input adds, and nobody hears.

    Silence with an offset is loud to whatever trims or levels it afterwards.
    """

    kind: Literal["centre"] = "centre"


class Trim(_Frozen):
    """Cut what is quieter than ``top_db`` below the loudest frame off both ends (`librosa.effects.trim`)."""

    kind: Literal["trim"] = "trim"
    top_db: PositiveFloat = 30.0
    frame_length: PositiveInt = 1024
    hop_length: PositiveInt = 256


class Level(_Frozen):
    """Scale to one loudness: the RMS of what is left becomes ``target_db`` (dB re full scale)."""

    kind: Literal["level"] = "level"
    target_db: Annotated[float, Field(le=12)] = -23.0


class Limit(_Frozen):
    """Cut peaks off at full scale, as a limiter without attack or release does."""

    kind: Literal["limit"] = "limit"


class Denoise(_Frozen):
    """Smooth where the sound is no louder than its own noise (`scipy.signal.wiener`, Lim 1990)."""

    kind: Literal["denoise"] = "denoise"
    size: Annotated[int, Field(ge=3)] = 15
    """Samples that the local mean and variance are taken over."""


class LogMel(_Frozen):
    """Mel power spectrogram in dB (`librosa.feature.melspectrogram`, `librosa.power_to_db`, ref 1)."""

    kind: Literal["log_mel"] = "log_mel"
    n_mels: PositiveInt = 64
    fmin: Annotated[float, Field(ge=0)] = 0.0
    fmax: PositiveFloat | None = None
    top_db: PositiveFloat | None = 80.0

    @property
    def width(self) -> int:
        """Columns in the feature matrix."""
        return self.n_mels


class Mfcc(_Frozen):
    """Mel-frequency cepstral coefficients (`librosa.feature.mfcc`), with as many orders of delta as asked."""

    kind: Literal["mfcc"] = "mfcc"
    n_mfcc: PositiveInt = 40
    n_mels: PositiveInt = 128
    fmin: Annotated[float, Field(ge=0)] = 0.0
    fmax: PositiveFloat | None = None
    deltas: Annotated[int, Field(ge=0, le=2)] = 0

    @property
    def width(self) -> int:
        """Columns in the feature matrix."""
        return self.n_mfcc * (1 + self.deltas)


class Chroma(_Frozen):
    """Energy in each pitch class (`librosa.feature.chroma_stft`, tuned to A440)."""

    kind: Literal["chroma"] = "chroma"
    n_chroma: PositiveInt = 12

    @property
    def width(self) -> int:
        """Columns in the feature matrix."""
        return self.n_chroma


class Rms(_Frozen):
    """Root mean square of each frame, from its spectrum (`librosa.feature.rms` with ``S``)."""

    kind: Literal["rms"] = "rms"

    @property
    def width(self) -> int:
        """Columns in the feature matrix."""
        return 1


class Zcr(_Frozen):
    """Share of samples in each frame at which the sign changes (`librosa.feature.zero_crossing_rate`)."""

    kind: Literal["zcr"] = "zcr"

    @property
    def width(self) -> int:
        """Columns in the feature matrix."""
        return 1


class Pitch(_Frozen):
    """How high a voice is, from the autocorrelation of each frame (Boersma 1993): three columns.

    How voiced a frame is (0 to 1); its fundamental in octaves above the middle of the range; the same
    above the mean of the clip. The last two are weighted by the first, so that unvoiced frames are 0.
    """

    kind: Literal["pitch"] = "pitch"
    fmin: PositiveFloat = 65.0
    fmax: PositiveFloat = 600.0
    octave_cost: Annotated[float, Field(ge=0)] = 0.06
    """What an octave lower costs, in correlation: of two periods that fit as well, the shorter is meant."""

    @property
    def width(self) -> int:
        """Columns in the feature matrix."""
        return 3

    def longest_lag(self, sr: int) -> int:
        """Samples in the longest period."""
        return int(sr / self.fmin)


class Stft(_Frozen):
    """The one short-time Fourier transform that every feature reads (`librosa.stft`, centred)."""

    n_fft: PositiveInt = 512
    win_length: PositiveInt = 400
    hop_length: PositiveInt = 256
    window: Literal["hann", "hamming"] = "hann"

    @model_validator(mode="after")
    def _window_fits(self) -> Self:
        if self.win_length > self.n_fft:
            raise ValueError(f"win_length {self.win_length} is longer than n_fft {self.n_fft}")
        return self


class Windows(_Frozen):
    """How a clip longer than one pass is heard: windows of ``length_s`` every ``hop_s`` seconds."""

    clip_s: PositiveFloat = 6.0
    """The longest clip that is answered in one pass."""
    length_s: PositiveFloat = 3.0
    hop_s: Annotated[float, Field(ge=0.01)] = 1.0

    @model_validator(mode="after")
    def _clip_holds_a_window(self) -> Self:
        if self.length_s > self.clip_s:
            raise ValueError(f"length_s {self.length_s:g} is longer than clip_s {self.clip_s:g}")
        return self


Step = Annotated[Centre | Trim | Level | Limit | Denoise, Field(discriminator="kind")]
Feature = Annotated[LogMel | Mfcc | Chroma | Rms | Zcr | Pitch, Field(discriminator="kind")]


class Spec(_Frozen):
    """Sound at any rate in, ``float32[frames, width]`` out."""

    version: Literal[1] = SPEC_VERSION
    sr: PositiveInt = 16_000
    preprocess: tuple[Step, ...] = (Centre(), Trim(), Level())
    duration_s: PositiveFloat = 3.0
    """What is left after ``preprocess`` is centred in this: cut or padded with zeros on both sides."""
    stft: Stft = Stft()
    features: Annotated[tuple[Feature, ...], Field(min_length=1)] = (LogMel(),)
    summary: Literal["frames", "mean"] = "frames"
    """``mean``: each column's mean over time, one below the other; nothing is padded for it."""
    windows: Windows = Windows()

    @model_validator(mode="after")
    def _periods_fit(self) -> Self:
        for feature in self.features:
            if isinstance(feature, Pitch):
                # Two periods fill a frame; the transform is circular, and lags must not meet its other end.
                needed = feature.longest_lag(self.sr) + 1
                room = min(self.stft.n_fft - self.stft.win_length, self.stft.win_length // 2)
                if needed > room:
                    raise ValueError(
                        f"pitch from {feature.fmin:g} Hz on needs an stft.win_length of {2 * needed} samples "
                        f"or more, and an n_fft that is {needed} or more longer than it"
                    )
        return self

    @property
    def n_samples(self) -> int:
        """Samples that the features are computed from."""
        return round(self.duration_s * self.sr)

    @property
    def frames(self) -> int:
        """Rows of the feature matrix."""
        if self.summary == "mean":
            return sum(feature.width for feature in self.features)
        return n_centred(self.n_samples, self.stft.n_fft, self.stft.hop_length)

    @property
    def width(self) -> int:
        """Columns of the feature matrix."""
        if self.summary == "mean":
            return 1
        return sum(feature.width for feature in self.features)

    @property
    def digest(self) -> str:
        """The first 16 hex digits of the SHA-256 of the specification, written canonically."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]
