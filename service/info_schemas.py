"""What the service replies about itself and its models, as OpenAPI shows it."""

from typing import Self

from service.schemas import ModelReference, Reply
from undertone import emotions
from undertone.bundle import Calibration, Corpus, Manifest, Metrics
from undertone.emotions import Sentiment
from undertone.limits import Limits
from undertone.pcm import ENCODINGS
from undertone.spec import Windows


class LimitsReply(Reply):
    """What a recording has to keep within."""

    max_bytes: int
    """Of the file."""
    max_duration_s: float
    """In seconds."""
    min_duration_s: float
    """In seconds."""
    min_sr: int
    """Lowest sample rate, in Hz."""
    max_sr: int
    """Highest sample rate, in Hz."""
    max_channels: int
    """Of the file."""


class ModelReply(Reply):
    """All there is to know about a model before asking it."""

    name: str
    """What to ask for it by."""
    version: str
    """The version of its weights."""
    description: str
    """What it is, in a sentence or two."""
    default: bool
    """Whether it answers where no model is named."""
    loaded: bool
    """Whether it is ready to answer; the first request to one that is not waits for seconds."""
    emotions: tuple[str, ...]
    """What it tells apart, in the order of its output."""
    sentiment: dict[str, Sentiment]
    """Which sentiment each emotion counts towards."""
    sample_rate: int
    """What recordings are resampled to, in Hz."""
    duration_s: float
    """How much of a recording, or of a window of it, is heard in one pass, in seconds."""
    windows: Windows
    """How a recording longer than ``clip_s`` is cut into windows, which are averaged."""
    limits: LimitsReply
    """What a recording has to keep within."""
    encodings: tuple[str, ...]
    """How samples may be stored in the WAV file."""
    metrics: dict[str, Metrics]
    """How well it does, by protocol."""
    calibration: Calibration
    """How its probabilities were made to mean what they say."""
    abstention_threshold: float | None
    """Below that score it warns of its own answer; none, where it never does."""
    licence: str
    """What its weights may be used for."""
    corpora: tuple[Corpus, ...]
    """What it learnt from."""
    parameters: int
    """How many numbers it learnt."""
    revision: str
    """The git revision of the code that trained it."""
    digest: str
    """SHA-256 over all that the bundle consists of: no other bundle has it."""

    @classmethod
    def of(cls, manifest: Manifest, limits: Limits, *, default: bool, loaded: bool) -> Self:
        """The reply for a model."""
        return cls(
            **manifest.model_dump(
                include={
                    *("name", "version", "description", "emotions", "metrics", "calibration"),
                    "abstention_threshold",
                    *("licence", "corpora", "parameters", "revision", "digest"),
                }
            ),
            default=default,
            loaded=loaded,
            sentiment={emotion: emotions.SENTIMENT[emotion] for emotion in manifest.emotions},
            sample_rate=manifest.spec.sr,
            duration_s=manifest.spec.duration_s,
            windows=manifest.spec.windows,
            limits=LimitsReply.model_validate(limits),
            encodings=ENCODINGS,
        )


class ModelsReply(Reply):
    """The models that can be asked for."""

    default: str
    """The one that answers where none is named."""
    models: tuple[ModelReply, ...]
    """All that can be asked for, by name."""
    unavailable: tuple[str, ...]
    """The names of those that did not pass their check; asked for one, the service answers 503."""


class HealthReply(Reply):
    """The process answers."""

    status: str
    """``ok``."""


class ReadyReply(Reply):
    """The models are loaded, verified and warm."""

    status: str
    """``ready``."""
    models: tuple[ModelReference, ...]
    """Which ones."""


class VersionReply(Reply):
    """What is running."""

    undertone: str
    """The version of this service."""
    python: str
    """The version of Python."""
    manifest: int
    """The version of bundle manifests that it reads."""
    spec: int
    """The version of feature specifications that it reads."""


class ProblemKindReply(Reply):
    """A kind of problem that the service may answer."""

    code: str
    """The stable name."""
    status: int
    """The HTTP status that it comes with."""
    title: str
    """What it is."""
    example: str
    """What its detail may say."""
