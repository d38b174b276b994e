"""What was tried, on one page: made from the plans and the log of trials, and from nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from string import Template
from typing import Final

from training.effects import Difference, effects
from training.screen import Change, Plan, Standing, Trial, apart, leaderboard, trials_of

_PAGE: Final = Template("""\
# What was tried

Changes to a recipe, judged by validation speakers alone: nobody who is tested in a fold was asked when its
networks were compared. One row a change, best first; each network was trained for the whole of its schedule.
Eight people validate in folds 1 and 4, with 480 clips, so a difference of two or three points in one seed
is chance. Rows are to be compared where folds and seeds are the same.

$table
$known
$n_networks networks, $hours core-hours in all. `undertone-train leaderboard --out docs/experiments.md` writes
this page from `training/experiments/experiments.csv`, which has a row for each network, and from the plans
beside it; `undertone-train screen PLAN` trains one.

## The plans

What all rows of a plan share, and how many of its networks were trained: a row asks for one in each fold, for
each seed. Not every plan was followed to its end.

$plans
""")

_KNOWN: Final = Template("""
## For voices that are known

On the random split of one seed, judged by its validation clips, a tenth of those that are not tested: of
RAVDESS 113, so a point is a clip, and four are chance.

$table
""")

_IN_PARTS: Final = Template("""
### Asked of more clips

All that the same split does not test falls into five parts, of which one validates what the others train. Of
RAVDESS, two parts have 465 clips, so two points are chance.

$table
""")

_EFFECTS: Final = Template("""\
## Many at once: $plan

The mean of the rows that have a change against those that do not; ± is one standard error. Less
loss is better.

| change | UAR with | without | difference | loss with | without | difference |
| --- | --- | --- | --- | --- | --- | --- |
$rows

""")

_HEADINGS: Final = (
    "change",
    "validation UAR",
    "loss",
    "by fold",
    "seeds",
    "parameters",
    "CPU, s",
    "plan",
    "what was set beyond it",
)

_MANY: Final = 4
"""Rows with a change, and without it, below which their means say little."""


def page(trials: Sequence[Trial], plans: Mapping[str, Plan]) -> str:
    """The page for a log and the plans that it is of, by their names; a row for each change."""
    origins = [
        (name, change, trials_of(plan, change, trials))
        for name, plan in plans.items()
        for change in plan.changes
    ]
    unheard, known, in_parts = apart(trials)
    text = _PAGE.substitute(
        table=_table(unheard, origins),
        known="".join(
            template.substitute(table=_table(board, origins))
            for template, board in ((_KNOWN, known), (_IN_PARTS, in_parts))
            if board
        ),
        n_networks=len(trials),
        hours=f"{sum(trial.cpu_seconds for trial in trials) / 3600:.1f}",
        plans="\n".join(
            f"- **{name}**: `{plan.recipe}` with {_code(plan.settings)}; {_trained(name, plan, origins)}"
            for name, plan in plans.items()
        ),
    )
    return "\n".join([text, *_effects(trials, plans)]).rstrip() + "\n"


def _table(trials: Sequence[Trial], origins: Sequence[tuple[str, Change, Sequence[Trial]]]) -> str:
    """A row for each change, best first."""
    rows = [_HEADINGS, ("---",) * len(_HEADINGS)]
    rows += [_row(standing, origins) for standing in leaderboard(trials)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _trained(name: str, plan: Plan, origins: Sequence[tuple[str, Change, Sequence[Trial]]]) -> str:
    """How much of it was done: not every plan was followed to its end."""
    planned = len(plan.changes) * len(plan.folds) * len(plan.seeds)
    done = sum(len(trials) for origin, _, trials in origins if origin == name)
    return f"all {done} networks" if done == planned else f"{done} of {planned} networks"


def _effects(trials: Sequence[Trial], plans: Mapping[str, Plan]) -> Iterator[str]:
    for name, plan in plans.items():
        found = [effect for effect in effects(plan, trials) if effect.n_rows >= _MANY]
        if not found:
            continue
        rows = (
            f"| {_code(each.settings)} | {_compared(each.uar)} | {_compared(each.loss)} |"
            for each in found
        )
        yield _EFFECTS.substitute(plan=name, rows="\n".join(rows))


def _compared(found: Difference) -> str:
    return f"{found.having:.3f} | {found.lacking:.3f} | {found.brought:+.3f} ± {found.error:.3f}"


def _row(
    standing: Standing, origins: Sequence[tuple[str, Change, Sequence[Trial]]]
) -> tuple[str, ...]:
    own = set(standing.trials)
    found = [(plan, change) for plan, change, trials in origins if own & set(trials)]
    (_, change), *_ = found or [("", Change(name=standing.change, settings=(standing.settings,)))]
    return (
        " = ".join(dict.fromkeys(change.name for _, change in found)) or standing.change,
        f"**{standing.uar:.3f}**",
        f"{standing.loss:.3f}",
        ", ".join(f"{fold}: {uar:.3f}" for fold, uar in standing.by_fold.items()),
        ", ".join(str(seed) for seed in sorted({trial.seed for trial in standing.trials})),
        f"{standing.trials[0].parameters:,}".replace(",", " "),
        f"{standing.cpu_seconds:.0f}",
        ", ".join(plan for plan, _ in found) or "-",
        _code(change.settings),
    )


def _code(settings: Sequence[str]) -> str:
    return ", ".join(f"`{setting}`" for setting in settings) or "nothing"
