"""The pictures beside the figures: drawn from the same predictions, with one look."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.abstain import RiskCoverage
from training.history import History
from training.metrics import ece, reliability
from undertone.show import INK, LOOK, PALE

ACCENT: Final = "#0f766e"
WARM: Final = "#c2410c"

_LOOK: Final[dict[str, Any]] = {
    **LOOK,
    "font.size": 10,
    "axes.titlesize": 11,
    "savefig.dpi": 130,
    "savefig.bbox": "tight",
}


def confusion_figure(matrix: Sequence[Sequence[int]], emotions: Sequence[str], path: Path) -> None:
    """The confusion matrix in percent of each row, so that the diagonal is recall."""
    counts = np.asarray(matrix)
    percent = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with drawing(path, 6.4, 5.6) as figure:
        axes = figure.add_subplot()
        axes.imshow(percent, cmap="GnBu", vmin=0, vmax=100)
        axes.spines[:].set_visible(False)
        axes.set_xticks(range(len(emotions)), emotions, rotation=35, ha="right")
        axes.set_yticks(range(len(emotions)), emotions)
        axes.tick_params(length=0)
        axes.set_xlabel("heard")
        axes.set_ylabel("acted")
        axes.set_title("Confusion, % of each row")
        for (row, column), value in np.ndenumerate(percent):
            colour = "white" if value > 60 else INK
            axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=colour)


def reliability_figure(
    truth: NDArray[np.integer],
    before: NDArray[np.floating],
    after: NDArray[np.floating],
    path: Path,
) -> None:
    """Accuracy against confidence, before and after the temperature, with how many clips stand where."""
    with drawing(path, 8.6, 4.4) as figure:
        panels = figure.subplots(1, 2, sharey=True)
        for axes, name, probabilities in zip(
            panels, ("before", "after calibration"), (before, after), strict=True
        ):
            edges, counts, _, accuracies = reliability(truth, probabilities)
            width = edges[1] - edges[0]
            share = counts / counts.sum()
            axes.plot([0, 1], [0, 1], color=PALE, linewidth=1, linestyle="--", zorder=3)
            axes.bar(edges[:-1], accuracies, width * 0.92, align="edge", color=ACCENT)
            axes.bar(edges[:-1], -share, width * 0.92, align="edge", color=PALE)
            axes.axhline(0, color=INK, linewidth=0.8)
            axes.set(xlim=(0, 1), ylim=(-0.32, 1), xlabel="confidence")
            axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
            axes.set_title(f"{name}: ECE {ece(truth, probabilities):.3f}")
            axes.text(0.02, -0.29, "share of clips", fontsize=8)
        panels[0].set_ylabel("accuracy")


def recall_figure(recalls: dict[str, float], uar: float, path: Path) -> None:
    """Recall of each emotion, and their mean."""
    with drawing(path, 6.4, 3.2) as figure:
        axes = figure.add_subplot()
        positions = range(len(recalls))
        axes.barh(positions, list(recalls.values()), color=ACCENT, height=0.7)
        axes.axvline(uar, color=WARM, linewidth=1.2)
        axes.text(uar, -0.85, f"UAR {uar:.3f}", color=WARM, ha="center", fontsize=9)
        axes.set_yticks(positions, list(recalls))
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.set_xlabel("recall")
        for position, value in zip(positions, recalls.values(), strict=True):
            axes.text(value + 0.01, position, f"{value:.2f}", va="center", fontsize=9)


def coverage_figure(curve: RiskCoverage, chosen: float, path: Path) -> None:
    """Accuracy against the share that is answered, surest first; ``chosen`` is a share to point at."""
    with drawing(path, 6.4, 3.2) as figure:
        axes = figure.add_subplot()
        few = curve.coverage >= 0.05  # the accuracy of a handful of clips says nothing
        axes.plot(curve.coverage[few], curve.accuracy[few], color=ACCENT)
        axes.axhline(curve.accuracy[-1], color=PALE, linewidth=1, linestyle="--")
        axes.plot([chosen], [curve.at(chosen)], "o", color=WARM)
        label = f"{curve.at(chosen):.3f} at {chosen:.0%}"
        axes.annotate(
            label, (chosen, curve.at(chosen)), (6, 6), textcoords="offset points", color=WARM
        )
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="share answered, surest first", ylabel="accuracy")


def history_figure(histories: Sequence[History], path: Path) -> None:
    """Loss and accuracy over epochs, of training and validation clips; a line for each network."""
    with drawing(path, 9.2, 3.6) as figure:
        loss, accuracy = figure.subplots(1, 2)
        for history in histories:
            epochs = [epoch.number for epoch in history]
            for axes, trained, validated in (
                (loss, "loss", "validation_loss"),
                (accuracy, "accuracy", "validation_accuracy"),
            ):
                axes.plot(epochs, [getattr(epoch, trained) for epoch in history], color=ACCENT)
                axes.plot(epochs, [getattr(epoch, validated) for epoch in history], color=WARM)
        for axes, name in ((loss, "loss, nats"), (accuracy, "accuracy")):
            axes.set_title(name)
            axes.set_xlabel("epoch")
            axes.set_ylim(bottom=0)
            axes.grid(axis="y", color=PALE, linewidth=0.5)
        accuracy.set_ylim(0, 1)
        accuracy.legend(["training, augmented", "validation"], frameon=False, loc="lower right")


@contextmanager
def drawing(path: Path, width: float, height: float) -> Iterator[Figure]:
    """A figure of so many inches, which is written to ``path`` at the end of the block."""
    with mpl.rc_context(_LOOK):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        # No date and no version: the same figures give the same bytes.
        figure.savefig(path, metadata={"Software": None})
