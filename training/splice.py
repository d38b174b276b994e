"""New clips out of two that say the same: the beginning of one, the rest of the other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.clip import UNKNOWN, Clip


@dataclass(frozen=True, slots=True, eq=False)
class Takes:
    """Which clips are takes of one thing: the same words, by the same speaker, in the same emotion.

    However strong that is. A clip of which nobody says who speaks, or what, is the only take of its own.

    Attributes:
        alike: for each clip, ``int[n]``, those that are takes of the same as it is, itself among them.
    """

    alike: tuple[NDArray[np.int64], ...]

    def another(
        self, chosen: NDArray[np.integer], generator: np.random.Generator
    ) -> NDArray[np.int64]:
        """For each of ``chosen`` one of its takes, maybe itself."""
        return np.array([generator.choice(self.alike[clip]) for clip in chosen], dtype=np.int64)


def takes_of(clips: Sequence[Clip]) -> Takes:
    """The takes among ``clips``."""
    said = [
        (clip.corpus, clip.speaker, clip.statement, clip.emotion) if _is_known(clip) else number
        for number, clip in enumerate(clips)
    ]
    groups: dict[object, list[int]] = {}
    for number, what in enumerate(said):
        groups.setdefault(what, []).append(number)
    return Takes(tuple(np.array(groups[what]) for what in said))


def spliced(
    features: NDArray[np.float32],
    others: NDArray[np.float32],
    part: float,
    generator: np.random.Generator,
) -> NDArray[np.float32]:
    """``part`` of the batch goes over into its other at a random frame (CutMix, Yun et al. 2019, over time).

    Args:
        features: ``float32[n, frames, width]``.
        others: of the same shape, aligned with them as far as their silence was trimmed.
        part: of the batch, on average.
        generator: where chance comes from.
    """
    n, frames = len(features), features.shape[1]
    cuts = generator.integers(1, frames, size=n)
    cuts[generator.random(n) >= part] = frames
    begun = np.arange(frames)[None, :, None] < cuts[:, None, None]
    whole: NDArray[np.float32] = np.where(begun, features, others)
    return whole


def _is_known(clip: Clip) -> bool:
    return bool(clip.statement) and not clip.speaker.endswith(UNKNOWN)
