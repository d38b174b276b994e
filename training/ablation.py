"""What was tried, on one page: made from the log of trials, and from nothing else."""

from collections.abc import Sequence
from string import Template
from typing import Final

from training.screen import Standing, Trial, leaderboard

_PAGE: Final = Template("""\
# What was tried

Changes to a recipe, judged by validation speakers alone: nobody who is tested in a fold was asked when its
networks were compared. One row a change, best first; each network was trained for the whole of its schedule.
Eight people validate in folds 1 and 4, with 480 clips, so a difference of two or three points in one seed
is chance. Rows are to be compared where folds and seeds are the same.

$table

$n_networks networks, $hours core-hours in all. `undertone-train leaderboard --out docs/experiments.md` writes
this page from `training/experiments/experiments.csv`, which has a row for each network; the plans lie beside
it, and `undertone-train screen PLAN` trains one.
""")

_HEADINGS: Final = (
    "change",
    "validation UAR",
    "loss",
    "by fold",
    "seeds",
    "parameters",
    "CPU, s",
    "what was set",
)


def page(trials: Sequence[Trial]) -> str:
    """The page for a log; a row for each change."""
    rows = [_HEADINGS, ("---",) * len(_HEADINGS)]
    rows += [_row(standing) for standing in leaderboard(trials)]
    return _PAGE.substitute(
        table="\n".join(f"| {' | '.join(row)} |" for row in rows),
        n_networks=len(trials),
        hours=f"{sum(trial.cpu_seconds for trial in trials) / 3600:.1f}",
    )


def _row(standing: Standing) -> tuple[str, ...]:
    return (
        standing.change,
        f"**{standing.uar:.3f}**",
        f"{standing.loss:.3f}",
        ", ".join(f"{fold}: {uar:.3f}" for fold, uar in standing.by_fold.items()),
        ", ".join(str(seed) for seed in sorted({trial.seed for trial in standing.trials})),
        f"{standing.trials[0].parameters:,}".replace(",", " "),
        f"{standing.cpu_seconds:.0f}",
        f"`{standing.settings}`",
    )
