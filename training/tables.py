"""Figures for a terminal."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Final

from rich.table import Table

from training.paired import Paired
from training.protocols import Reported
from training.recipe import Recipe
from training.robustness import Loss
from training.screen import Trial, apart, leaderboard
from undertone.bundle import Metrics


def metrics_table(metrics: Metrics, emotions: Sequence[str]) -> Table:
    """What one protocol came to, with the confusion matrix: rows are the truth."""
    table = Table(title=_headline(metrics), caption=metrics.protocol, title_justify="left")
    table.add_column("truth")
    for emotion in emotions:
        table.add_column(emotion, justify="right")
    table.add_column("recall", justify="right", style="bold")
    for emotion, row in zip(emotions, metrics.confusion, strict=True):
        recall = metrics.per_class_recall.get(emotion)
        shown = "-" if recall is None else f"{recall:.3f}"
        table.add_row(emotion, *(str(count) for count in row), shown)
    return table


_TESTED_ON: Final[Mapping[Reported, str]] = {
    "random": "a random fifth of all clips",
    "unseen": "unseen speakers",
    "unseen-5": "unseen speakers, five folds",
}


def protocols_table(recipe: Recipe, measured: Mapping[Reported, Metrics]) -> Table:
    """Both protocols side by side: what was measured under each, or the command that measures it."""
    table = Table(title=f"{recipe.name} says that it reaches: {recipe.claim}", title_justify="left")
    for heading in ("tested on", "accuracy", "UAR", "seeds", "clips"):
        table.add_column(heading, justify="left" if heading == "tested on" else "right")
    for kind, name in _TESTED_ON.items():
        metrics = measured.get(kind)
        if metrics is None and kind == "unseen-5":
            continue
        if metrics is None:
            table.add_row(name, "not measured")
            option = " --protocol random" if kind == "random" else ""
            table.caption = f"undertone-train crossval {recipe.name}{option} measures the other"
            continue
        table.add_row(
            name,
            mean_and_sd(metrics.accuracy_per_seed),
            mean_and_sd(metrics.uar_per_seed),
            str(len(metrics.seeds)),
            str(metrics.n_clips),
        )
    return table


def losses_table(losses: Sequence[Loss]) -> Table:
    """What each condition costs."""
    table = Table(title="unseen speakers under worse conditions", title_justify="left")
    for heading in ("condition", "UAR", "cost", "accuracy", "ECE", "refused"):
        table.add_column(heading, justify="left" if heading == "condition" else "right")
    for loss in losses:
        figures = (f"{value:.3f}" for value in (loss.uar, loss.cost, loss.accuracy, loss.ece))
        table.add_row(loss.condition, *figures, f"{loss.refused:.1%}")
    return table


def leaderboard_tables(trials: Sequence[Trial]) -> list[Table]:
    """What was tried, best first, and what a network of each costs; what random splits judge, for itself."""
    unheard, known, in_parts = apart(trials)
    tables = [_leaderboard("validation speakers, mean over folds and seeds", unheard)]
    for title, board in (
        ("validation clips of a random split: voices that are known", known),
        ("the same of more clips: parts of what a random split does not test", in_parts),
    ):
        if board:
            tables.append(_leaderboard(title, board))
    return tables


def _leaderboard(title: str, trials: Sequence[Trial]) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in ("change", "UAR", "loss", "by fold", "networks", "parameters", "CPU, s"):
        table.add_column(heading, justify="left" if heading == "change" else "right")
    for standing in leaderboard(trials):
        table.add_row(
            standing.change,
            f"{standing.uar:.3f}",
            f"{standing.loss:.3f}",
            "  ".join(f"{fold}: {uar:.3f}" for fold, uar in standing.by_fold.items()),
            str(len(standing.trials)),
            str(standing.trials[0].parameters),
            f"{standing.cpu_seconds:.0f}",
        )
    return table


def paired_table(names: Sequence[str], found: Paired) -> Table:
    """Two models on the same people, and what their difference is worth."""
    table = Table(title=f"the same clips of {found.n_speakers} people", title_justify="left")
    table.add_column("model")
    table.add_column("UAR", justify="right")
    for name, value in zip(names, (found.first, found.second), strict=True):
        table.add_row(name, f"{value:.3f}")
    low, high = found.ci95
    table.add_row("difference", f"{found.difference:+.3f} ({low:+.3f} to {high:+.3f})")
    table.add_row("p, permutation over speakers", f"{found.p:.4f}")
    return table


def mean_and_sd(values: Sequence[float]) -> str:
    """The mean over seeds, and their sample SD where there are several."""
    mean = f"{statistics.fmean(values):.3f}"
    return f"{mean} ± {statistics.stdev(values):.3f}" if len(values) > 1 else mean


def interval(metrics: Metrics) -> str:
    """Of the UAR over speakers, in words."""
    if metrics.uar_ci95 is None:
        people = "1 speaker is" if metrics.n_speakers == 1 else f"{metrics.n_speakers} speakers are"
        return f"none: {people} too few to tell of others"
    low, high = metrics.uar_ci95
    return f"{low:.3f} to {high:.3f}"


def _headline(metrics: Metrics) -> str:
    lines = [
        f"UAR {metrics.uar:.3f} (95 % over speakers {interval(metrics)})   "
        f"accuracy {metrics.accuracy:.3f}   macro-F1 {metrics.macro_f1:.3f}   "
        f"ECE {metrics.ece_before:.3f} before, {metrics.ece:.3f} after calibration",
        "folds: " + "  ".join(f"{fold}: {value:.3f}" for fold, value in metrics.fold_uar.items()),
    ]
    if metrics.uar_sd is not None and metrics.fold_uar_sd is not None:
        seeds = "  ".join(
            f"{seed}: {value:.3f}"
            for seed, value in zip(metrics.seeds, metrics.uar_per_seed, strict=True)
        )
        lines.append(
            f"seeds: {seeds}   SD {metrics.uar_sd:.3f} pooled, {metrics.fold_uar_sd:.3f} for one fold"
        )
    return "\n".join(lines)
