"""Clips to arrays: decoded and extracted by the very functions that the service calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.clip import Clip
from training.errors import CorpusError
from training.extraction import extracted
from training.recipe import Recipe


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


def evaluation_set(clips: Sequence[Clip], recipe: Recipe, folder: Path) -> Dataset:
    """Clips exactly as the service hears them; ``folder`` is where features are kept.

    Raises:
        CorpusError: a clip cannot be read, or its emotion is none of the recipe's.
    """
    return _dataset(clips, recipe, [extracted(clip, recipe, folder)[:1] for clip in clips])


def training_set(clips: Sequence[Clip], recipe: Recipe, folder: Path) -> Dataset:
    """Clips with the variants that the recipe asks for; for the training side of a split only.

    Raises:
        CorpusError: a clip cannot be read, or its emotion is none of the recipe's.
    """
    return _dataset(clips, recipe, [extracted(clip, recipe, folder) for clip in clips])


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
