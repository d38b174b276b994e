"""One network, one training set, one seed."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import keras
import numpy as np
from numpy.typing import NDArray

from training import metrics, side_tasks
from training.batches import batches, steps_an_epoch
from training.calibrate import softmax
from training.dataset import Dataset
from training.history import Epoch
from training.network import build
from training.recipe import Recipe, Schedule
from undertone.saved_model import import_tensorflow


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A trained network, with the weights of the epoch that was kept."""

    model: keras.Model
    history: tuple[Epoch, ...]
    kept: Epoch


Report = Callable[[Epoch], None]


def fit(
    recipe: Recipe,
    training: Dataset,
    validation: Dataset | None,
    seed: int,
    *,
    auxiliary: Dataset | None = None,
    teacher: keras.Model | None = None,
    stop_after: int | None = None,
    report: Report = lambda _: None,
) -> Fitted:
    """Train the recipe's network.

    The weights kept are those of the epoch that is best on ``validation`` by what the recipe's
    schedule monitors, or the last ones, if that is what it keeps. Without validation, training ends after
    ``stop_after`` epochs of the schedule, and the last weights are kept.

    Args:
        recipe: network, augmentation and schedule.
        training: with its variants; one of them is drawn for each clip in each epoch.
        validation: clips of speakers who are not in ``training``.
        seed: of weights, order and augmentation.
        auxiliary: clips, with variants, of the corpora that only train.
        teacher: what it says of each batch stands beside the labels, as much as the recipe has it.
        stop_after: the number of epochs, where nothing validates.
        report: called after each epoch.
    """
    keras.utils.set_random_seed(seed)
    schedule = recipe.schedule
    both = [dataset for dataset in (training, auxiliary) if dataset is not None]
    model = build(recipe.network, training.plain, len(recipe.emotions))
    steps = steps_an_epoch(recipe, training, auxiliary)
    asked = [side_tasks.classes_of(task, both) for task in recipe.side_tasks]
    learner = _compiled(side_tasks.with_heads(model, recipe.side_tasks, asked), recipe, steps)
    feed = batches(recipe, training, auxiliary, np.random.default_rng(seed), asked)
    ends = np.cumsum([len(recipe.emotions), *(len(classes) for classes in asked)])[:-1]
    average = _Average(schedule.ema)
    history: list[Epoch] = []
    kept, kept_weights = None, None
    for number in range(1, (stop_after or schedule.epochs) + 1):
        figures = []
        for _ in range(steps):
            features, targets = next(feed)
            if teacher is not None:
                targets = _taught(targets, teacher.predict_on_batch(features), recipe)
            answers = np.split(targets, ends, axis=1) if asked else targets
            figures.append(_figures(learner.train_on_batch(features, answers, return_dict=True)))
            average.add(model)
        loss, accuracy = np.mean(figures, axis=0).tolist()
        with average.in_place(model):
            epoch = _validated(number, loss, accuracy, model, validation)
            history.append(epoch)
            report(epoch)
            if schedule.keep == "last" or kept is None or _is_better(epoch, kept, schedule.monitor):
                kept, kept_weights = epoch, model.get_weights()
            elif number - kept.number >= schedule.patience:
                break
    assert kept is not None
    model.set_weights(kept_weights)
    return Fitted(model, tuple(history), kept)


def _taught(
    targets: NDArray[np.float32], answers: NDArray[np.float32], recipe: Recipe
) -> NDArray[np.float32]:
    """The targets of emotion, the first columns, towards the probabilities of a teacher's logits."""
    share, n_emotions = recipe.distillation.share, answers.shape[1]
    taught = targets.copy()
    taught[:, :n_emotions] *= 1 - share
    taught[:, :n_emotions] += share * softmax(answers)
    return taught


def _compiled(learner: keras.Model, recipe: Recipe, steps: int) -> keras.Model:
    """Ready to learn emotion and, where its outputs are several, side tasks."""
    schedule = recipe.schedule
    emotion = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=schedule.label_smoothing
    )
    if not recipe.side_tasks:
        learner.compile(_optimiser(schedule, steps), emotion, metrics=["categorical_accuracy"])
        return learner
    learner.compile(
        _optimiser(schedule, steps),
        [emotion, *(side_tasks.loss for _ in recipe.side_tasks)],
        loss_weights=[1.0, *(task.weight for task in recipe.side_tasks)],
        metrics=[["categorical_accuracy"], *([] for _ in recipe.side_tasks)],
    )
    return learner


def _figures(said: Mapping[str, float]) -> tuple[float, float]:
    """Loss, of all tasks together, and accuracy."""
    return said["loss"], next(said[name] for name in said if name.endswith("categorical_accuracy"))


class _Average:
    """The exponential moving average of a network's weights over its steps (Tarvainen and Valpola 2017)."""

    def __init__(self, decay: float) -> None:
        self._decay = decay
        self._weights: list[NDArray[np.float32]] = []
        self._steps = 0

    def add(self, model: keras.Model) -> None:
        """Take the weights of this step in; the first steps count as in a plain mean."""
        if not self._decay:
            return
        self._steps += 1
        present = model.get_weights()
        if not self._weights:
            self._weights = present
            return
        rate = max(1 - self._decay, 1 / self._steps)
        for mean, weight in zip(self._weights, present, strict=True):
            mean += rate * (weight - mean)

    @contextmanager
    def in_place(self, model: keras.Model) -> Iterator[None]:
        """The network with the average for its weights; with its own again afterwards."""
        if not self._decay:
            yield
            return
        present = model.get_weights()
        model.set_weights(self._weights)
        yield
        model.set_weights(present)


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
