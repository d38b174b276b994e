"""One network of a run: trained on the run's training speakers.

Its epoch is chosen on the validation speakers; where there are none, the run says how many it takes.
"""

import csv
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from training.dataset import evaluation_set, training_set
from training.fit import Epoch, fit, use_threads
from training.task import Member, Progress, Report, finish, split_of

MODEL: Final = "model.keras"
HISTORY: Final = "history.csv"


def train(member: Member, report: Report = lambda _: None) -> None:
    """Train the network and keep it, with its history.

    Raises:
        UndertoneError: recordings or recipe are at fault.
    """
    use_threads(1)
    started = time.monotonic()
    recipe, epochs = member.recipe, member.run.epochs
    total = epochs or recipe.schedule.epochs
    split = split_of(member.run)
    report(Progress(member.name, 0, total, "extracting features"))
    training = training_set(split.train, recipe, member.seed)
    validation = evaluation_set(split.validation, recipe) if split.validation else None

    def tell(epoch: Epoch) -> None:
        report(Progress(member.name, epoch.number, total, _note(epoch)))

    fitted = fit(recipe, training, validation, member.seed, stop_after=epochs, report=tell)
    fitted.model.save(member.folder / MODEL)
    _write_history(member.folder / HISTORY, fitted.history)
    best = fitted.best
    finish(
        member,
        {
            "revision": member.run.revision,
            "best_epoch": best.number,
            "epochs": len(fitted.history),
            "validation_uar": best.validation_uar,
            "seconds": round(time.monotonic() - started, 1),
        },
    )
    report(Progress(member.name, total, total, f"best epoch {best.number}"))


def _note(epoch: Epoch) -> str:
    if epoch.validation_uar is None:
        return f"loss {epoch.loss:.2f}"
    return f"loss {epoch.loss:.2f}, validation UAR {epoch.validation_uar:.3f}"


def _write_history(path: Path, history: Sequence[Epoch]) -> None:
    columns = ("number", "loss", "validation_loss", "validation_uar")
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("epoch", *columns[1:]))
        writer.writerows([getattr(epoch, column) for column in columns] for epoch in history)
