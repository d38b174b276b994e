"""One run: a recipe, a split and a seed, from recordings to a bundle with its predictions.

A run lives in a folder of its own and is finished once ``run.json`` stands in it; a finished run is
never trained again, so whoever is interrupted just asks again.
"""

import csv
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from training import corpora, metrics, predictions, splits
from training.calibrate import fit_temperature, softmax
from training.corpora import Clip
from training.errors import RunError
from training.predictions import Predictions
from training.recipe import Recipe, resolved

TEST: Final = "test.csv"
VALIDATION: Final = "validation.csv"
HISTORY: Final = "history.csv"
BUNDLE: Final = "bundle"
_DONE: Final = "run.json"


@dataclass(frozen=True, slots=True)
class Task:
    """What a run is to do; all of it plain data, so that it travels to another process."""

    recipe: Recipe
    fold: int
    seed: int
    data: Path
    folder: Path
    """Where its results go."""
    revision: str

    @property
    def name(self) -> str:
        """What a person calls it."""
        return f"fold {self.fold}, seed {self.seed}"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: ``done`` of ``total`` epochs."""

    task: str
    done: int
    total: int
    note: str


Report = Callable[[Progress], None]


def finished(task: Task) -> bool:
    """Whether the results of this very recipe stand in the task's folder.

    Raises:
        RunError: those of another recipe do.
    """
    path = task.folder / _DONE
    if not path.is_file():
        return False
    if json.loads(path.read_text())["recipe"] != json.loads(resolved(task.recipe)):
        raise RunError(
            f"{task.folder} holds a run of another recipe: remove it, or choose another --out"
        )
    return True


def read_clips(recipe: Recipe, data: Path) -> tuple[Clip, ...]:
    """All clips of the recipe's corpora below ``data``.

    Raises:
        CorpusError: they are not there, or do not belong.
    """
    return tuple(clip for name in recipe.corpora for clip in corpora.read(name, data))


def run(task: Task, report: Report = lambda _: None) -> None:
    """Train, calibrate, export, and predict both sides that were held out.

    The temperature is fitted on the validation speakers. The predictions are those of the exported
    bundle, not of the network that it was made from.

    Raises:
        UndertoneError: recordings, recipe or export are at fault.
    """
    from training.dataset import evaluation_set, training_set
    from training.export import write_bundle
    from training.fit import Epoch, fit, logits, use_threads
    from undertone.bundle import Calibration
    from undertone.engine import Engine

    use_threads(1)
    started = time.monotonic()
    recipe, total = task.recipe, task.recipe.schedule.epochs
    split = splits.emobox(read_clips(recipe, task.data), task.fold)
    report(Progress(task.name, 0, total, "extracting features"))
    training = training_set(split.train, recipe, task.seed)
    validation = evaluation_set(split.validation, recipe)
    test = evaluation_set(split.test, recipe)

    def tell(epoch: Epoch) -> None:
        note = f"loss {epoch.loss:.2f}, validation UAR {epoch.validation_uar or 0:.3f}"
        report(Progress(task.name, epoch.number, total, note))

    fitted = fit(recipe, training, validation, task.seed, report=tell)
    raw = logits(fitted.model, validation.plain)
    temperature = fit_temperature(raw, validation.truth)
    bundle = write_bundle(
        task.folder / BUNDLE,
        fitted.model,
        recipe,
        name=f"{recipe.model}-fold-{task.fold}",
        description=f"Fold {task.fold} of the cross-validation of {recipe.model}: for checking, not for use.",
        calibration=Calibration(
            temperature=temperature,
            ece_before=metrics.ece(validation.truth, softmax(raw)),
            ece_after=metrics.ece(validation.truth, softmax(raw, temperature)),
            fitted_on=f"the validation actors of fold {task.fold}",
        ),
        revision=task.revision,
    )
    engine = Engine(bundle)
    for name, held_out in ((VALIDATION, validation), (TEST, test)):
        table = _predictions(
            task, held_out.clips, held_out.truth, engine.infer(held_out.plain), temperature
        )
        predictions.write(task.folder / name, table)
    fitted.model.save(task.folder / "model.keras")
    _write_history(task.folder / HISTORY, fitted.history)
    summary = {
        "recipe": json.loads(resolved(recipe)),
        "fold": task.fold,
        "seed": task.seed,
        "revision": task.revision,
        "best_epoch": fitted.best.number,
        "epochs": len(fitted.history),
        "validation_uar": fitted.best.validation_uar,
        "temperature": temperature,
        "seconds": round(time.monotonic() - started, 1),
    }
    (task.folder / _DONE).write_text(json.dumps(summary, indent=2) + "\n")
    report(Progress(task.name, total, total, f"best epoch {fitted.best.number}"))


def summary(folder: Path) -> dict[str, Any]:
    """What a finished run wrote of itself.

    Raises:
        RunError: there is no finished run.
    """
    try:
        loaded: dict[str, Any] = json.loads((folder / _DONE).read_text())
    except OSError as error:
        raise RunError(f"{folder}: no finished run there") from error
    return loaded


def _predictions(
    task: Task,
    clips: tuple[Clip, ...],
    truth: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    temperature: float,
) -> Predictions:
    n = len(clips)
    return Predictions(
        emotions=task.recipe.emotions,
        protocol=("ravdess/emobox-6fold",) * n,
        fold=(str(task.fold),) * n,
        seed=np.full(n, task.seed, dtype=np.int64),
        revision=(task.revision,) * n,
        file=tuple(clip.name for clip in clips),
        speaker=tuple(clip.speaker for clip in clips),
        truth=truth,
        temperature=np.full(n, temperature),
        probabilities=probabilities.astype(np.float64),
    )


def _write_history(path: Path, history: tuple[Any, ...]) -> None:
    columns = ("number", "loss", "validation_loss", "validation_uar")
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("epoch", *columns[1:]))
        writer.writerows([getattr(epoch, column) for column in columns] for epoch in history)
