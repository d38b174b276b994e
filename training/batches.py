"""Shuffled, augmented batches without end, all of one size, so that a graph is traced once."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from training import side_tasks
from training.augment import augment_batch
from training.bands import bands_of
from training.dataset import Dataset
from training.recipe import Recipe
from training.side_tasks import Classes
from training.splice import spliced, takes_of

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]
"""``float32[size, frames, width]``, and ``float32[size, emotions]``, targets of side tasks after them."""


def steps_an_epoch(recipe: Recipe, training: Dataset, auxiliary: Dataset | None) -> int:
    """Batches in which every clip of the recipe's own corpora comes once."""
    own, _ = _sizes(recipe, training, auxiliary)
    return -(-len(training.truth) // own)


def batches(
    recipe: Recipe,
    training: Dataset,
    auxiliary: Dataset | None,
    generator: np.random.Generator,
    classes: Sequence[Classes] = (),
) -> Iterator[Batch]:
    """Batches of both datasets, a variant of each clip drawn anew each time.

    Args:
        recipe: sizes, shares, augmentation.
        training: clips of the recipe's own corpora.
        auxiliary: clips of those that only train.
        generator: where chance comes from.
        classes: of each of the recipe's side tasks.
    """
    own, others = _sizes(recipe, training, auxiliary)
    fill = training.plain.mean(axis=(0, 1))
    bands = bands_of(recipe.spec)
    sides = [_drawn(recipe, training, own, generator, classes)]
    if auxiliary is not None:
        sides.append(_drawn(recipe, auxiliary, others, generator, classes))
    for parts in zip(*sides, strict=True):
        features, targets = (
            each[0] if len(each) == 1 else np.concatenate(each) for each in zip(*parts, strict=True)
        )
        yield augment_batch(features, targets, fill, recipe.augmentation, generator, bands)


def _sizes(recipe: Recipe, training: Dataset, auxiliary: Dataset | None) -> tuple[int, int]:
    """How many clips of a batch are the recipe's own, and how many of the auxiliary corpora."""
    size = recipe.schedule.batch_size
    others = 0
    if auxiliary is not None:
        others = min(max(round(size * recipe.auxiliary.share), 1), size - 1)
    return min(size - others, len(training.truth)), others


def _drawn(
    recipe: Recipe,
    dataset: Dataset,
    size: int,
    generator: np.random.Generator,
    classes: Sequence[Classes],
) -> Iterator[Batch]:
    one_hot = np.eye(len(recipe.emotions), dtype=np.float32)[dataset.truth]
    asked = np.concatenate(
        [one_hot, *side_tasks.targets(recipe.side_tasks, classes, dataset.clips)], axis=1
    )
    n_variants = dataset.features.shape[1]
    splice = recipe.augmentation.splice
    takes = takes_of(dataset.clips) if splice else None
    order = np.empty(0, dtype=np.int64)
    while True:
        while order.size < size:
            order = np.concatenate([order, _order(recipe, dataset, generator)])
        chosen, order = order[:size], order[size:]
        variant = generator.integers(n_variants, size=size)
        features = dataset.features[chosen, variant]
        if takes is not None:
            others = dataset.features[takes.another(chosen, generator), variant]
            features = spliced(features, others, splice, generator)
        yield features, asked[chosen]


def _order(recipe: Recipe, dataset: Dataset, generator: np.random.Generator) -> NDArray[np.integer]:
    """Every clip once; or, balanced, as many clips, each emotion as often as any other."""
    n_clips = len(dataset.truth)
    if not recipe.schedule.balance:
        return generator.permutation(n_clips)
    heard, counts = np.unique(dataset.truth, return_counts=True)
    share = np.zeros(len(recipe.emotions))
    share[heard] = 1 / (counts * len(heard))
    return generator.choice(n_clips, size=n_clips, p=share[dataset.truth])
