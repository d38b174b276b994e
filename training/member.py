"""One network of a run: trained on the run's training speakers.

Its epoch is chosen on the validation speakers; where there are none, the run says how many it takes.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import keras

from training import history
from training.dataset import evaluation_set, training_set
from training.fit import fit, use_threads
from training.history import Epoch
from training.network import average
from training.task import Member, Progress, Report, auxiliary_clips, finish, split_of, summary

MODEL: Final = "model.keras"
HISTORY: Final = "history.csv"


def train(member: Member, report: Report = lambda _: None) -> None:
    """Train the network and keep it, with its history.

    Raises:
        UndertoneError: recordings or recipe are at fault.
    """
    use_threads(1)
    started = time.monotonic()
    recipe = member.trained_by
    # How many epochs the members of everybody's run take says nothing about those who teach them.
    given = None if member.teacher else member.run.epochs
    epochs = summary(member.first.folder)["best_epoch"] if member.whole else given
    total = epochs or recipe.schedule.epochs
    split = split_of(member.run)
    if member.whole:
        split = replace(split, train=(*split.train, *split.validation), validation=())
    report(Progress(member.name, 0, total, "reading features"))
    folder = member.run.features
    training = training_set(split.train, recipe, folder)
    companions = auxiliary_clips(member.run, split)
    auxiliary = training_set(companions, recipe, folder) if companions else None
    validation = evaluation_set(split.validation, recipe, folder) if split.validation else None

    def tell(epoch: Epoch) -> None:
        report(Progress(member.name, epoch.number, total, _note(epoch)))

    fitted = fit(
        recipe,
        training,
        validation,
        member.seed,
        auxiliary=auxiliary,
        teacher=_mean_of(member.teachers),
        stop_after=epochs,
        report=tell,
    )
    fitted.model.save(member.folder / MODEL)
    history.write(member.folder / HISTORY, [fitted.history])
    kept = fitted.kept
    finish(
        member,
        {
            "revision": member.run.revision,
            "best_epoch": kept.number,
            "epochs": len(fitted.history),
            "validation_uar": kept.validation_uar,
            "validation_accuracy": kept.validation_accuracy,
            "validation_loss": kept.validation_loss,
            "parameters": fitted.model.count_params(),
            "seconds": round(time.monotonic() - started, 1),
            "cpu_seconds": round(time.process_time(), 1),
        },
    )
    report(Progress(member.name, total, total, f"epoch {kept.number} kept"))


def _mean_of(teachers: Sequence[Member]) -> keras.Model | None:
    """Their networks as one; none where nobody teaches."""
    if not teachers:
        return None
    return average([keras.saving.load_model(teacher.folder / MODEL) for teacher in teachers])


def _note(epoch: Epoch) -> str:
    if epoch.validation_uar is None:
        return f"loss {epoch.loss:.2f}"
    return f"loss {epoch.loss:.2f}, validation UAR {epoch.validation_uar:.3f}"
