"""Clips to arrays: decoded and extracted by the very functions that the service calls."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.augment import variants
from training.corpora import Clip
from training.errors import CorpusError
from training.recipe import Recipe
from undertone import audio
from undertone.classifier import windows
from undertone.features import extract

Tick = Callable[[], None]
"""Called once for each clip that is done."""


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Clips, what is heard of them, and what they are."""

    clips: tuple[Clip, ...]
    features: NDArray[np.float32]
    """``float32[n, variants, frames, width]``; the first variant is the clip itself."""
    truth: NDArray[np.int64]
    """``int[n]``, indices of the recipe's emotions."""

    @property
    def plain(self) -> NDArray[np.float32]:
        """``float32[n, frames, width]``: the clips themselves."""
        return self.features[:, 0]


def evaluation_set(clips: Sequence[Clip], recipe: Recipe, tick: Tick = lambda: None) -> Dataset:
    """Clips exactly as the service hears them.

    Raises:
        AudioError: a clip cannot be read.
        CorpusError: a clip's emotion is none of the recipe's, or it is longer than one pass.
    """

    def heard(clip: Clip) -> NDArray[np.float32]:
        matrices = windows(audio.read(clip.path, recipe.spec.sr).samples, recipe.spec)
        if len(matrices) > 1:
            raise CorpusError(
                f"{clip.path} is longer than the {recipe.spec.windows.clip_s:g} s that the recipe "
                "hears in one pass; raise spec.windows.clip_s"
            )
        tick()
        return matrices

    return _dataset(clips, recipe, [heard(clip) for clip in clips])


def training_set(
    clips: Sequence[Clip], recipe: Recipe, seed: int, tick: Tick = lambda: None
) -> Dataset:
    """Clips with the variants that the recipe asks for; for the training side of a split only.

    Raises:
        AudioError: a clip cannot be read.
        CorpusError: a clip's emotion is none of the recipe's.
    """

    def heard(clip: Clip, generator: np.random.Generator) -> NDArray[np.float32]:
        spec = recipe.spec
        samples = audio.read(clip.path, spec.sr).samples
        copies = variants(samples, spec.sr, recipe.augmentation, generator)
        tick()
        return np.stack([extract(copy, spec) for copy in copies])

    generators = np.random.default_rng(seed).spawn(len(clips))
    return _dataset(clips, recipe, [heard(*pair) for pair in zip(clips, generators, strict=True)])


def _dataset(
    clips: Sequence[Clip], recipe: Recipe, features: Sequence[NDArray[np.float32]]
) -> Dataset:
    return Dataset(tuple(clips), np.stack(features), truth(clips, recipe.emotions))


def truth(clips: Sequence[Clip], emotions: Sequence[str]) -> NDArray[np.int64]:
    """``int[n]``: where each clip's emotion stands among ``emotions``.

    Raises:
        CorpusError: it does not.
    """
    for clip in clips:
        if clip.emotion not in emotions:
            raise CorpusError(
                f"{clip.path} is {clip.emotion}, which is none of the recipe's emotions: "
                f"{', '.join(emotions)}"
            )
    return np.array([emotions.index(clip.emotion) for clip in clips], dtype=np.int64)
