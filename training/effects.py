"""What each change of a plan does, where many are tried at once: rows that have it against those that do not.

For plans in which every change stands in about half of the rows, whatever the others are (a factorial
design; Box, Hunter and Hunter 2005, Statistics for Experimenters): all rows say something about each.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from training.screen import Plan, Trial, trials_of


@dataclass(frozen=True, slots=True)
class Difference:
    """Between rows that have settings and rows that lack them.

    Attributes:
        having: the mean of those that have them.
        lacking: of those that do not.
        error: the standard error of the difference, from the spread within both.
    """

    having: float
    lacking: float
    error: float

    @property
    def brought(self) -> float:
        """What they bring."""
        return self.having - self.lacking


@dataclass(frozen=True, slots=True)
class Effect:
    """What settings that stand together do.

    Attributes:
        settings: overrides.
        uar: what they do to the validation UAR.
        loss: what they do to the validation loss, which chance moves less.
        n_rows: how many there are of the side that has fewer.
    """

    settings: tuple[str, ...]
    uar: Difference
    loss: Difference
    n_rows: int


@dataclass(frozen=True, slots=True)
class _Row:
    settings: frozenset[str]
    uar: float
    loss: float


def effects(plan: Plan, trials: Sequence[Trial]) -> tuple[Effect, ...]:
    """The effects of a plan's settings, the best recall first.

    Args:
        plan: none comes of one in which nothing stands in more than one row.
        trials: a log; rows of the plan that were not trained on all its folds and seeds are left out.
    """
    n_networks = len(plan.folds) * len(plan.seeds)
    rows = [
        _Row(
            frozenset(change.settings),
            statistics.fmean(trial.validation_uar for trial in done),
            statistics.fmean(trial.validation_loss for trial in done),
        )
        for change in plan.changes
        if len(done := trials_of(plan, change, trials)) == n_networks
    ]
    found = (_effect(together, rows) for together in _standing_together(plan))
    return tuple(sorted((each for each in found if each), key=lambda each: -each.uar.brought))


def _standing_together(plan: Plan) -> list[tuple[str, ...]]:
    """The plan's settings, those that never stand without each other in one group."""
    groups: dict[tuple[int, ...], list[str]] = {}
    for setting in dict.fromkeys(each for change in plan.changes for each in change.settings):
        where = tuple(n for n, change in enumerate(plan.changes) if setting in change.settings)
        groups.setdefault(where, []).append(setting)
    return [tuple(settings) for settings in groups.values()]


def _effect(settings: tuple[str, ...], rows: Sequence[_Row]) -> Effect | None:
    having = [row for row in rows if settings[0] in row.settings]
    lacking = [row for row in rows if settings[0] not in row.settings]
    n_rows = min(len(having), len(lacking))
    if n_rows < 2:
        return None
    return Effect(
        settings,
        _difference([row.uar for row in having], [row.uar for row in lacking]),
        _difference([row.loss for row in having], [row.loss for row in lacking]),
        n_rows,
    )


def _difference(having: Sequence[float], lacking: Sequence[float]) -> Difference:
    error = math.sqrt(sum(statistics.variance(side) / len(side) for side in (having, lacking)))
    return Difference(statistics.fmean(having), statistics.fmean(lacking), error)
