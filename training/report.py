"""One folder that shows a result whole: figures, tables, the recipe, and a page that holds them together."""

from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Final

from training import history
from training.calibrate import uncalibrated
from training.figures import confusion_figure, history_figure, recall_figure, reliability_figure
from training.history import History
from training.predictions import Predictions
from training.recipe import Recipe, resolved
from training.tables import interval
from undertone.bundle import Metrics

PAGE: Final = "report.md"

_PAGE: Final = Template("""\
# $title

$protocol.

| figure | value |
|---|---|
| accuracy | **$accuracy** |
| UAR (chance is $chance) | **$uar** |
| 95 % interval of the UAR, bootstrap over the $n_speakers speakers | $interval |
| macro-F1 | $macro_f1 |
| ECE before and after temperature scaling, 15 bins | $ece_before, $ece |
| clips | $n_clips |

`$command`

$learning![Confusion matrix](confusion_matrix.png)
![Recall of each emotion](recall.png)
![Reliability diagram](reliability.png)

| emotion | recall | heard as |
|---|---|---|
$recalls

Every figure is computed from `$predictions`. `metrics.json` holds them$extra.
""")


def write_report(
    folder: Path,
    title: str,
    table: Predictions,
    metrics: Metrics,
    *,
    recipe: Recipe | None = None,
    histories: Sequence[History] = (),
) -> Path:
    """Write the page and everything that it shows into ``folder``.

    Args:
        folder: exists.
        title: of the page.
        table: the predictions that ``metrics`` were computed from.
        metrics: the figures.
        recipe: written as ``recipe.json``, with every default; none for a model that came without.
        histories: of the networks, as ``loss_accuracy_plot.png`` and ``history.csv``.

    Returns:
        The page.
    """
    draw(folder, table, metrics)
    (folder / "metrics.json").write_text(metrics.model_dump_json(indent=2) + "\n")
    learning, extra = "", ""
    if recipe:
        (folder / "recipe.json").write_text(resolved(recipe) + "\n")
        extra = ", `recipe.json` the recipe with every default written out"
    if histories:
        history_figure(histories, folder / "loss_accuracy_plot.png")
        history.write(folder / "history.csv", histories)
        learning = "![Loss and accuracy over epochs](loss_accuracy_plot.png)\n"
        extra += ", `history.csv` the epochs, and `model.keras` the weights that were kept"
    page = folder / PAGE
    page.write_text(
        _PAGE.substitute(
            title=title,
            protocol=metrics.protocol[0].upper() + metrics.protocol[1:],
            accuracy=f"{metrics.accuracy:.3f}",
            uar=f"{metrics.uar:.3f}",
            chance=f"{1 / len(table.emotions):.3f}",
            n_speakers=metrics.n_speakers,
            interval=interval(metrics),
            macro_f1=f"{metrics.macro_f1:.3f}",
            ece_before=f"{metrics.ece_before:.3f}",
            ece=f"{metrics.ece:.3f}",
            n_clips=metrics.n_clips,
            command=metrics.command,
            learning=learning,
            recalls="\n".join(_recalls(metrics, table.emotions)),
            predictions=metrics.predictions,
            extra=extra,
        )
    )
    return page


def draw(folder: Path, table: Predictions, metrics: Metrics) -> None:
    """``confusion_matrix.png``, ``recall.png`` and ``reliability.png``, of the first seed."""
    first = table.of_seed(metrics.seeds[0])
    confusion_figure(metrics.confusion, table.emotions, folder / "confusion_matrix.png")
    recall_figure(metrics.per_class_recall, metrics.uar, folder / "recall.png")
    reliability_figure(
        first.truth,
        uncalibrated(first.probabilities, first.temperature),
        first.probabilities,
        folder / "reliability.png",
    )


def _recalls(metrics: Metrics, emotions: Sequence[str]) -> list[str]:
    """A row for each emotion: how often it was heard, and what it was most often taken for."""
    rows = []
    for index, emotion in enumerate(emotions):
        counts = list(metrics.confusion[index])
        counts[index] = 0
        taken = max(range(len(counts)), key=counts.__getitem__)
        mistaken = f"{emotions[taken]} ({counts[taken]})" if counts[taken] else "-"
        recall = metrics.per_class_recall.get(emotion)
        rows.append(f"| {emotion} | {'-' if recall is None else f'{recall:.3f}'} | {mistaken} |")
    return rows
