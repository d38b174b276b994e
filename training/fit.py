"""One network, one training set, one seed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import keras
import numpy as np
from numpy.typing import NDArray

from training import metrics
from training.augment import augment_batch
from training.dataset import Dataset
from training.history import Epoch
from training.network import build
from training.recipe import Recipe, Schedule
from undertone.saved_model import import_tensorflow


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

    The weights kept are those of the epoch that is best on ``validation`` by what the recipe's
    schedule monitors. Without it, training ends after ``stop_after`` epochs of the recipe's schedule,
    and the last weights are kept.

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
        metrics=["categorical_accuracy"],
    )
    batches = _batches(recipe, training, np.random.default_rng(seed))
    history: list[Epoch] = []
    best, best_weights = None, None
    for number in range(1, (stop_after or schedule.epochs) + 1):
        figures = [model.train_on_batch(*next(batches)) for _ in range(steps)]
        loss, accuracy = np.mean(figures, axis=0).tolist()
        epoch = _validated(number, loss, accuracy, model, validation)
        history.append(epoch)
        report(epoch)
        if best is None or _is_better(epoch, best, schedule.monitor):
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
    """Keep TensorFlow to ``count`` threads in this process, and to one order of additions.

    Call it before it runs anything: then the same seed gives the same network on the same machine.
    """
    if keras.backend.backend() == "tensorflow":
        import_tensorflow(count).config.experimental.enable_op_determinism()


def _validated(
    number: int, loss: float, accuracy: float, model: keras.Model, validation: Dataset | None
) -> Epoch:
    if validation is None:
        return Epoch(number, loss, accuracy, None, None, None)
    scores = logits(model, validation.plain).astype(np.float64)
    truth = validation.truth
    normaliser = np.logaddexp.reduce(scores, axis=1)
    matrix = metrics.confusion(truth, scores.argmax(axis=1), scores.shape[1])
    right = scores[np.arange(len(truth)), truth]
    return Epoch(
        number,
        loss,
        accuracy,
        float(np.mean(normaliser - right)),
        metrics.accuracy(matrix),
        metrics.uar(matrix),
    )


def _is_better(epoch: Epoch, best: Epoch, monitor: Literal["uar", "accuracy", "loss"]) -> bool:
    """By what is monitored, then by the lower loss; the latest where nothing validates."""
    return _rank(epoch, monitor) > _rank(best, monitor)


def _rank(epoch: Epoch, monitor: Literal["uar", "accuracy", "loss"]) -> tuple[float, float]:
    if epoch.validation_loss is None:
        return (epoch.number, 0)
    match monitor:
        case "uar":
            return (epoch.validation_uar or 0, -epoch.validation_loss)
        case "accuracy":
            return (epoch.validation_accuracy or 0, -epoch.validation_loss)
        case "loss":
            return (-epoch.validation_loss, 0)


def _optimiser(schedule: Schedule, steps: int) -> keras.optimizers.Optimizer:
    warmup = schedule.warmup_epochs * steps
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=schedule.learning_rate / 100,
        decay_steps=max(schedule.epochs * steps - warmup, 1),
        warmup_target=schedule.learning_rate,
        warmup_steps=warmup,
    )
    if schedule.optimiser == "adam":
        return keras.optimizers.Adam(rate, clipnorm=schedule.clip_norm)
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
