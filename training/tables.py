"""Figures for a terminal."""

from collections.abc import Sequence

from rich.table import Table

from undertone.bundle import Metrics


def metrics_table(metrics: Metrics, emotions: Sequence[str]) -> Table:
    """What one protocol came to, with the confusion matrix: rows are the truth."""
    table = Table(title=_headline(metrics), caption=metrics.protocol, title_justify="left")
    table.add_column("truth")
    for emotion in emotions:
        table.add_column(emotion, justify="right")
    table.add_column("recall", justify="right", style="bold")
    for emotion, row in zip(emotions, metrics.confusion, strict=True):
        recall = metrics.per_class_recall[emotion]
        table.add_row(emotion, *(str(count) for count in row), f"{recall:.3f}")
    return table


def _headline(metrics: Metrics) -> str:
    low, high = metrics.uar_ci95
    lines = [
        f"UAR {metrics.uar:.3f} (95 % over speakers {low:.3f} to {high:.3f})   "
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
