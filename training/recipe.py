"""A recipe: one readable TOML file that says everything about a model but its seed."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from training.errors import RecipeError
from undertone import emotions
from undertone.spec import LogMel, Spec

FOLDER: Final = Path(__file__).parent / "recipes"
"""Where the recipes that come with this package lie."""

Share = Annotated[float, Field(ge=0, lt=1)]
Part = Annotated[float, Field(ge=0, le=1)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


View = Literal["plain", "centred", "slope"]
"""The features themselves; less their mean over the clip; their change from frame to frame."""

Statistic = Literal["attention", "mean", "std", "max"]


class ConvBlstm(_Frozen):
    """Convolutions over time and frequency, a bidirectional LSTM, attention and statistics pooling."""

    kind: Literal["conv_blstm"] = "conv_blstm"
    channels: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (16, 32, 48)
    """Of each convolution; the first halves time and frequency."""
    pools: tuple[tuple[PositiveInt, PositiveInt], ...] = ((1, 1), (2, 2), (1, 4))
    """By how much time and frequency shrink after each convolution."""
    views: Annotated[tuple[View, ...], Field(min_length=1)] = ("plain",)
    """What of the spectrogram the convolutions see, one channel each."""
    conv_dropout: Share = 0.1
    """After each convolution."""
    quick: bool = False
    """Whether maps shrink before they are normalised, and dropout takes whole channels: much of the time that
    training takes goes into normalising large maps and drawing numbers for each of their places."""
    beside: Annotated[int, Field(ge=0)] = 0
    """How many of the last columns are no spectrogram: they join after the convolutions."""
    beside_filters: PositiveInt = 16
    """Of the convolution over time that they go through."""
    lstm: PositiveInt = 64
    """Units in each direction."""
    lstm_layers: PositiveInt = 1
    """From the second on, each adds what it finds to what it was given."""
    attention: PositiveInt = 64
    """Units of the layer that scores frames."""
    pool: Annotated[tuple[Statistic, ...], Field(min_length=1)] = ("attention", "mean", "max")
    """What of all frames goes on."""

    @model_validator(mode="after")
    def _a_pool_for_each(self) -> Self:
        if len(self.pools) != len(self.channels):
            raise ValueError(
                f"{len(self.channels)} channels need as many pools, not {len(self.pools)}"
            )
        return self

    dropout: Share = 0.3
    """Before and after the pooling."""


class Recurrent(_Frozen):
    """LSTM layers one after another, after convolutions over time where there are any, then dense layers."""

    kind: Literal["recurrent"] = "recurrent"
    convolutions: tuple[PositiveInt, ...] = ()
    """Filters of each convolution over time; each halves the number of frames."""
    kernel_size: PositiveInt = 5
    """Frames that a convolution sees."""
    lstm: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (128,)
    """Units of each layer."""
    pool: Literal["last", "mean"] = "last"
    """What of the last layer goes on: its last state, or the mean of all."""
    dense: tuple[PositiveInt, ...] = ()
    """Units of each layer between the LSTM and the logits."""
    dropout: Share = 0.2
    """After every layer."""


Network = Annotated[ConvBlstm | Recurrent, Field(discriminator="kind")]


class Augmentation(_Frozen):
    """What training clips go through, after the split; validation and test clips never do."""

    variants: Annotated[int, Field(ge=0)] = 5
    """Copies of each clip with another speed, and noise in every second one. 0: the clip alone."""
    speed: tuple[PositiveFloat, PositiveFloat] = (0.85, 1.15)
    """Range of the factor by which a copy is faster (its pitch moves along)."""
    noise_snr_db: tuple[float, float] = (10.0, 40.0)
    """Range of the level of the speech above the noise."""
    pitch: Annotated[float, Field(ge=0, le=12)] = 0.0
    """Semitones by which the pitch of each copy is moved at most, up or down, its formants left in place."""
    babble: Part = 0.0
    """Of the copies in noise, how many are in babble instead: of the clip's own voice, at other speeds."""
    room: Part = 0.0
    """Of all copies, how many come from a room."""
    clipping: Part = 0.0
    """Of all copies, how many have up to a fifth of their peaks cut off."""
    telephone: Part = 0.0
    """Of all copies, how many come through a telephone."""
    shift: Annotated[int, Field(ge=0)] = 12
    """Most frames by which a clip is moved in time."""
    masks: Annotated[int, Field(ge=0)] = 2
    """SpecAugment (Park et al. 2019): masks over time, and as many over frequency."""
    time_mask: PositiveInt = 25
    """Widest mask over time, in frames."""
    frequency_mask: PositiveInt = 10
    """Widest mask over features, in columns."""
    mixup: Annotated[float, Field(ge=0)] = 0.2
    """Alpha of mixup (Zhang et al. 2018); 0: none."""
    warp: Share = 0.0
    """Another throat: frequencies of log-mel stretched by a factor within this of 1, anew in each batch
    (VTLP, Jaitly and Hinton 2013)."""
    stretch: Share = 0.0
    """Another tempo: time stretched by a factor within this of 1, anew in each batch."""
    splice: Part = 0.0
    """Of each batch, how many clips go over, somewhere, into another take of the same words by the same
    speaker in the same emotion."""
    filter_db: Annotated[float, Field(ge=0)] = 0.0
    """Another microphone: a smooth curve of gains up to this (FilterAugment, Nam et al. 2022)."""


class Schedule(_Frozen):
    """How the network is trained: warmed up, then a cosine down to zero."""

    optimiser: Literal["adamw", "adam"] = "adamw"
    epochs: PositiveInt = 60
    batch_size: PositiveInt = 32
    learning_rate: PositiveFloat = 2e-3
    warmup_epochs: Annotated[int, Field(ge=0)] = 3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-3
    """Of AdamW (Loshchilov and Hutter 2019)."""
    clip_norm: PositiveFloat = 1.0
    label_smoothing: Share = 0.05
    monitor: Literal["uar", "accuracy", "loss"] = "uar"
    """What of the validation clips says which epoch is best."""
    patience: PositiveInt = 20
    """Epochs without a better one after which training stops."""
    keep: Literal["best", "last"] = "best"
    """``last``: the whole schedule is run, and its last weights are kept, which chose nothing."""
    ema: Share = 0.0
    """Weights are averaged over steps, with this much of the past in each; 0: they are not."""
    balance: bool = False
    """Whether each emotion is heard equally often."""


class Auxiliary(_Frozen):
    """Corpora that only train: never tested, each clip on the side of the split on which its speaker is."""

    corpora: tuple[str, ...] = ()
    share: Share = 0.3
    """Of each batch; an epoch is still every clip of the recipe's own corpora once."""


class Distillation(_Frozen):
    """What several networks have learnt, learnt by one (Hinton et al. 2015; Beyer et al. 2022)."""

    teachers: Annotated[int, Field(ge=0)] = 0
    """Networks like the members that are trained before them, on the same clips; 0: nobody teaches."""
    share: Share = 0.7
    """Of a target, what the teachers say of the batch as it is; the rest is the label."""
    mixup: Annotated[float, Field(ge=0)] = 0.4
    """Of those who learn: what lies between clips shows most of what teachers know."""
    epochs: PositiveInt = 70
    """Of those who learn: there is more to learn than labels."""


class SideTask(_Frozen):
    """Something else that the network is asked while it learns."""

    what: Literal["speaker", "intensity", "statement"]
    weight: PositiveFloat = 0.3
    """Of its loss, where that of emotion has 1."""
    adversarial: bool = False
    """Whether the network shall be unable to answer it."""


class Recipe(_Frozen):
    """Corpora, what is heard, the network, and how it is trained."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    model: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    """The name of the bundle that it makes."""
    version: str
    description: str
    corpora: Annotated[tuple[str, ...], Field(min_length=1)]
    """``ravdess``, ``tess``, or the folder of a corpus of your own."""
    claim: str = "-"
    """What the system that the recipe was written after says that it reaches."""
    emotions: tuple[str, ...] = emotions.RAVDESS
    spec: Spec = Spec()
    network: Network = ConvBlstm()
    members: PositiveInt = 1
    """Networks from different seeds whose logits are averaged inside the graph."""
    retrain: bool = False
    """Whether, once a run's validation speakers have had their say, its members are trained anew on them,
    too, for as many epochs: those are tested, with the temperature of the first ones."""
    screened: tuple[str, ...] = ()
    """Folds on whose validation speakers the settings were chosen (`training.screen`), so that whoever is
    tested in others can be told apart."""
    auxiliary: Auxiliary = Auxiliary()
    augmentation: Augmentation = Augmentation()
    schedule: Schedule = Schedule()
    side_tasks: tuple[SideTask, ...] = ()
    distillation: Distillation = Distillation()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        augmentation, frames = self.augmentation, self.spec.summary == "frames"
        bands = any(isinstance(feature, LogMel) for feature in self.spec.features)
        if (augmentation.warp or augmentation.filter_db) and not (bands and frames):
            raise ValueError(
                "augmentation.warp and filter_db need a log_mel feature, frame by frame"
            )
        if augmentation.stretch and not frames:
            raise ValueError("augmentation.stretch needs features frame by frame")
        if self.distillation.teachers and self.schedule.keep != "last":
            # A teacher on everybody's clips has nobody to choose its epoch.
            raise ValueError("distillation.teachers needs schedule.keep='last'")
        if both := sorted(set(self.corpora) & set(self.auxiliary.corpora)):
            raise ValueError(f"{', '.join(both)} cannot be tested and auxiliary at once")
        return self


def names() -> tuple[str, ...]:
    """The recipes that come with this package."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load(source: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of that name, or in the TOML file at that path.

    Args:
        source: one of `names`, or a path.
        overrides: settings that replace the file's, as ``schedule.epochs=2``; values are TOML.

    Raises:
        RecipeError: there is none, or it is not a recipe; the message says where.
    """
    path = Path(source) if str(source).endswith(".toml") else FOLDER / f"{source}.toml"
    try:
        raw = read_toml(path)
    except OSError as error:
        raise RecipeError(
            f"no recipe {str(source)!r}: give a TOML file or one of {', '.join(names())}"
        ) from error
    for override in overrides:
        raw = _replaced(raw, override)
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        raise RecipeError(f"{path}: {faults(error)}") from error


def read_toml(path: Path) -> dict[str, Any]:
    """What a TOML file holds; the mark that some editors put in front of UTF-8 is passed over.

    Raises:
        OSError: it is not there.
        RecipeError: it is no TOML, or not in UTF-8.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path}: not TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: not in UTF-8: save it as UTF-8") from error


def faults(error: ValidationError) -> str:
    """What is wrong with a file's settings, and where, on one line."""
    return "; ".join(
        f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
        for fault in error.errors()
    )


def resolved(recipe: Recipe) -> str:
    """The recipe with every default written out, as JSON."""
    return json.dumps(recipe.model_dump(mode="json"), indent=2)


def _replaced(raw: Mapping[str, Any], override: str) -> dict[str, Any]:
    """``raw`` with one setting replaced."""
    try:
        addition = tomllib.loads(override)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(
            f"cannot read the override {override!r}: write it as schedule.epochs=2"
        ) from error
    return _merged(raw, addition)


def _merged(base: Mapping[str, Any], addition: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in addition.items():
        old = result.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        result[key] = _merged(old, value) if both else value  # type: ignore[arg-type]
    return result
