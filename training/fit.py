"""One network, one training set, one seed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from training.augment import augment_batch
from training.dataset import Dataset
from training.metrics import confusion, uar
from training.network import build
from training.recipe import Recipe, Schedule
from undertone.engine import import_tensorflow


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one pass over the training set came to."""

    number: int
    """Counts from 1."""
    loss: float
    validation_loss: float | None
    """Cross-entropy in nats; None where nothing validates."""
    validation_uar: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A trained network, with the weights of its best epoch."""

    model: keras.Model
    history: tuple[Epoch, ...]
    best: Epoch


Report = Callable[[Epoch], None]


def fit(
    recipe: Recipe,
    training: Dataset,
    validation: Dataset | None,
    seed: int,
    *,
    stop_after: int | None = None,
    report: Report = lambda _: None,
) -> Fitted:
    """Train the recipe's network.

    The weights kept are those of the epoch with the best UAR on ``validation``. Without it, training
    ends after ``stop_after`` epochs of the recipe's schedule, and the last weights are kept.

    Args:
        recipe: network, augmentation and schedule.
        training: with its variants; one of them is drawn for each clip in each epoch.
        validation: clips of speakers who are not in ``training``.
        seed: of weights, order and augmentation.
        stop_after: the number of epochs, where nothing validates.
        report: called after each epoch.
    """
    keras.utils.set_random_seed(seed)
    schedule = recipe.schedule
    model = build(recipe.network, training.plain, len(recipe.emotions))
    steps = -(-len(training.truth) // schedule.batch_size)
    model.compile(
        optimizer=_optimiser(schedule, steps),
        loss=keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=schedule.label_smoothing
        ),
    )
    batches = _batches(recipe, training, np.random.default_rng(seed))
    history: list[Epoch] = []
    best, best_weights = None, None
    for number in range(1, (stop_after or schedule.epochs) + 1):
        losses = [model.train_on_batch(*next(batches)) for _ in range(steps)]
        epoch = _validated(number, float(np.mean(losses)), model, validation)
        history.append(epoch)
        report(epoch)
        if best is None or _is_better(epoch, best):
            best, best_weights = epoch, model.get_weights()
        elif number - best.number >= schedule.patience:
            break
    assert best is not None
    model.set_weights(best_weights)
    return Fitted(model, tuple(history), best)


def logits(model: keras.Model, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """``float32[n, frames, width]`` to ``float32[n, emotions]``, batch by batch."""
    size = 120
    parts = [
        keras.ops.convert_to_numpy(model(features[start : start + size], training=False))
        for start in range(0, len(features), size)
    ]
    return np.concatenate(parts)


def use_threads(count: int) -> None:
    """Keep TensorFlow to ``count`` threads in this process; call it before it runs anything."""
    if keras.backend.backend() == "tensorflow":
        import_tensorflow(count)


def _validated(number: int, loss: float, model: keras.Model, validation: Dataset | None) -> Epoch:
    if validation is None:
        return Epoch(number, loss, None, None)
    scores = logits(model, validation.plain).astype(np.float64)
    truth = validation.truth
    normaliser = np.logaddexp.reduce(scores, axis=1)
    matrix = confusion(truth, scores.argmax(axis=1), scores.shape[1])
    right = scores[np.arange(len(truth)), truth]
    return Epoch(number, loss, float(np.mean(normaliser - right)), uar(matrix))


def _is_better(epoch: Epoch, best: Epoch) -> bool:
    """A higher UAR, or as high a one with a lower loss; the latest where nothing validates."""
    if epoch.validation_uar is None or best.validation_uar is None:
        return True
    return (epoch.validation_uar, -(epoch.validation_loss or 0)) > (
        best.validation_uar,
        -(best.validation_loss or 0),
    )


def _optimiser(schedule: Schedule, steps: int) -> keras.optimizers.Optimizer:
    warmup = schedule.warmup_epochs * steps
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=schedule.learning_rate / 100,
        decay_steps=max(schedule.epochs * steps - warmup, 1),
        warmup_target=schedule.learning_rate,
        warmup_steps=warmup,
    )
    return keras.optimizers.AdamW(
        rate, weight_decay=schedule.weight_decay, clipnorm=schedule.clip_norm
    )


def _batches(
    recipe: Recipe, training: Dataset, generator: np.random.Generator
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Shuffled, augmented batches without end; all of one size, so that the graph is traced once."""
    size = min(recipe.schedule.batch_size, len(training.truth))
    one_hot = np.eye(len(recipe.emotions), dtype=np.float32)[training.truth]
    fill = training.plain.mean(axis=(0, 1))
    n_clips, n_variants = training.features.shape[:2]
    order = np.empty(0, dtype=np.int64)
    while True:
        if order.size < size:
            order = np.concatenate([order, generator.permutation(n_clips)])
        chosen, order = order[:size], order[size:]
        variant = generator.integers(n_variants, size=size)
        yield augment_batch(
            training.features[chosen, variant],
            one_hot[chosen],
            fill,
            recipe.augmentation,
            generator,
        )
