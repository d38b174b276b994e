"""Trying changes to a recipe honestly: by what validation speakers say, never by test speakers.

A plan names a recipe and changes to it. Each is trained on the folds of the plan; nothing is ever asked
about the people on whom those folds are tested. Every network goes into a log, which is the board, too.

Whoever validates here is tested in another fold: what is chosen so has been chosen on people of the whole
cross-validation, and its figure should be given without them, too.

A recipe for voices that it knows is chosen on a random split instead: by clips of one seed's split that
neither train nor test, be it the few that validate there or, part by part, all that it does not test.
"""

import csv
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from rich.console import Console

from training import recipe as recipes
from training.clip import Clip
from training.crossval import FEATURES, train_member
from training.errors import RecipeError
from training.extraction import extract_all
from training.pool import default_jobs, do_all
from training.protocols import PARTS, RANDOM
from training.provenance import revision
from training.recipe import Recipe
from training.task import (
    Member,
    Run,
    auxiliary_clips,
    identified,
    is_finished,
    protocol_of,
    read_clips,
    split_of,
    summary,
)
from training.twins import require_no_twins

_FOLDER: Final = "screen"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Change(_Frozen):
    """What is tried."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]{0,63}$")]
    settings: tuple[str, ...] = ()
    """Overrides, as ``augmentation.warp=0.1``, on top of the plan's."""


class Plan(_Frozen):
    """A recipe, changes to it, and on which folds and seeds they are compared."""

    recipe: str
    settings: tuple[str, ...] = ()
    """Overrides that all changes share."""
    protocol: Literal["unseen", "random", "within-random"] = "unseen"
    """``random``: of the one fold of that name, and one seed; ``within-random``: of `PARTS`, and one seed."""
    folds: Annotated[tuple[str, ...], Field(min_length=1)] = ("1", "4")
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (0,)
    changes: Annotated[tuple[Change, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_split_if_random(self) -> Self:
        if self.protocol == "unseen":
            return self
        folds = (RANDOM,) if self.protocol == "random" else PARTS
        if not set(self.folds) <= set(folds) or len(self.seeds) > 1:
            raise ValueError(
                f"{self.protocol} has the folds {', '.join(folds)} and, here, one seed: another's "
                "validates clips that this one tests"
            )
        return self

    @model_validator(mode="after")
    def _each_is_named_once(self) -> Self:
        for what, given in (
            ("changes", [change.name for change in self.changes]),
            ("folds", self.folds),
            ("seeds", self.seeds),
        ):
            if len(set(given)) < len(given):
                raise ValueError(f"{what} are not all different")
        return self


@dataclass(frozen=True, slots=True)
class Trial:
    """One network: what was changed, and what its validation speakers say."""

    change: str
    recipe: str
    settings: str
    """All overrides, those of the plan first, separated by blanks."""
    key: str
    """Of the recipe: the same network has the same."""
    fold: str
    seed: int
    epochs: int
    kept_epoch: int
    parameters: int
    validation_uar: float
    validation_accuracy: float
    validation_loss: float
    cpu_seconds: float
    revision: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What all networks of one change came to."""

    change: str
    settings: str
    trials: tuple[Trial, ...]

    @property
    def uar(self) -> float:
        """The mean of the validation UAR over folds and seeds."""
        return statistics.fmean(trial.validation_uar for trial in self.trials)

    @property
    def loss(self) -> float:
        """The mean of the validation loss, which is less moved by chance."""
        return statistics.fmean(trial.validation_loss for trial in self.trials)

    @property
    def by_fold(self) -> dict[str, float]:
        """The same for each fold, the mean over its seeds."""
        folds: dict[str, list[float]] = {}
        for trial in self.trials:
            folds.setdefault(trial.fold, []).append(trial.validation_uar)
        return {fold: statistics.fmean(uars) for fold, uars in sorted(folds.items())}

    @property
    def cpu_seconds(self) -> float:
        """For one network, on average."""
        return statistics.fmean(trial.cpu_seconds for trial in self.trials)


def load(path: Path) -> Plan:
    """The plan in a TOML file.

    Raises:
        RecipeError: there is none, or it is not a plan; the message says where.
    """
    try:
        return Plan.model_validate(recipes.read_toml(path))
    except OSError as error:
        raise RecipeError(f"no plan at {path}: give a TOML file that names a recipe") from error
    except ValidationError as error:
        raise RecipeError(f"{path}: {recipes.faults(error)}") from error


def plans(folder: Path) -> dict[str, Plan]:
    """The plans in a folder by the names of their files, in the order of the numbers that these begin with.

    Raises:
        RecipeError: a TOML file there is no plan.
    """

    def order(path: Path) -> tuple[int, str]:
        number = path.stem.partition("-")[0]
        return int(number) if number.isdecimal() else 0, path.stem

    return {path.stem: load(path) for path in sorted(folder.glob("*.toml"), key=order)}


def screen(
    plan: Plan,
    data: Path,
    out: Path,
    log: Path,
    *,
    jobs: int | None = None,
    console: Console | None = None,
) -> tuple[Trial, ...]:
    """Train what is not trained yet of a plan, and add it to the log.

    Args:
        plan: what to try.
        data: the folder that holds the corpora.
        out: networks go to ``out/screen``, one folder a recipe; what is finished is not trained again.
        log: a CSV with a row for each network that was ever tried; made if it is not there.
        jobs: networks at a time; as many as there are cores where left out.
        console: where the bars go.

    Returns:
        The plan's trials, in its order.

    Raises:
        UndertoneError: recordings are missing, a change is none, or a network could not be trained.
    """
    jobs, console = jobs or default_jobs(), console or Console(stderr=True)
    require_no_twins(read_clips(recipes.load(plan.recipe, plan.settings), data))
    members = {
        (change.name, fold, seed): member
        for change in plan.changes
        for fold in plan.folds
        for seed in plan.seeds
        for member in _run(plan, change, fold, seed, data, out).members
    }
    if plan.protocol == "unseen":
        _require_apart([member.run for member in members.values()])
    waiting = list({member.folder: member for member in members.values()}.values())
    for member in waiting:
        if not is_finished(member):
            clips = _heard(member.run)
            extract_all(clips, member.recipe, out / FEATURES, jobs=jobs, console=console)
    teachers = [teacher for member in waiting for teacher in member.teachers]
    try:
        do_all(teachers, train_member, jobs, console)
        do_all(waiting, train_member, jobs, console)
    finally:
        trials = tuple(
            _trial(plan, name, member)
            for (name, _, _), member in members.items()
            if is_finished(member)
        )
        _add(log, trials)
    return trials


def read(log: Path) -> tuple[Trial, ...]:
    """Every trial of a log; none where there is no log."""
    if not log.is_file():
        return ()
    with log.open(newline="") as file:
        return tuple(_parsed(row) for row in csv.DictReader(file))


def apart(
    trials: Sequence[Trial],
) -> tuple[tuple[Trial, ...], tuple[Trial, ...], tuple[Trial, ...]]:
    """Three boards: judged by unheard speakers, by what validates in a random split, by parts of its rest."""
    unheard = tuple(trial for trial in trials if not trial.fold.startswith(RANDOM))
    whole = tuple(trial for trial in trials if trial.fold == RANDOM)
    return unheard, whole, tuple(trial for trial in trials if trial.fold in PARTS)


def leaderboard(trials: Sequence[Trial]) -> list[Standing]:
    """The changes, best first; only what was tried on the same folds and seeds is to be compared.

    Of networks that were tried again with other code, the last one counts.
    """
    groups: dict[str, dict[tuple[str, int], Trial]] = {}
    for trial in trials:
        groups.setdefault(trial.key, {})[trial.fold, trial.seed] = trial
    standings = []
    for group in groups.values():
        last = tuple(group.values())
        standings.append(Standing(last[-1].change, last[-1].settings, last))
    return sorted(standings, key=lambda standing: -standing.uar)


def recipe_of(plan: Plan, change: Change) -> Recipe:
    """What is trained for a change.

    Raises:
        RecipeError: the plan's recipe is not there, or a setting is none.
    """
    return recipes.load(plan.recipe, ["members=1", *plan.settings, *change.settings])


def trials_of(plan: Plan, change: Change, trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """Those of a log that were trained for a change, or in another plan, just so; the last of each.

    Rows of before a setting existed have another key, and are known by what was set.
    """
    written, its_key = written_out(plan, change), key(recipe_of(plan, change))
    wanted = {(fold, seed) for fold in plan.folds for seed in plan.seeds}
    found = {
        (trial.fold, trial.seed): trial
        for trial in trials
        if trial.key == its_key
        or (trial.recipe, trial.change, trial.settings) == (plan.recipe, change.name, written)
    }
    return tuple(trial for place, trial in found.items() if place in wanted)


def written_out(plan: Plan, change: Change) -> str:
    """All overrides, those of the plan first, separated by blanks."""
    return " ".join([*plan.settings, *change.settings])


def _run(plan: Plan, change: Change, fold: str, seed: int, data: Path, out: Path) -> Run:
    recipe = recipe_of(plan, change)
    if recipe.members > 1 or recipe.retrain:
        raise RecipeError(
            f"{change.name}: one network is tried at a time, without members or retrain"
        )
    folder = out / _FOLDER / key(recipe) / f"fold-{fold}-seed-{seed}"
    run = Run(recipe, seed, data, folder, out / FEATURES, revision(), plan.protocol, fold)
    measured = protocol_of(run)
    return identified(run, measured.split(measured.require(fold), seed))


def _require_apart(runs: Sequence[Run]) -> None:
    """Refuse folds of which one validates on whom another tests: they would be asked after all."""
    one_of_each = {str(run.fold): run for run in runs}
    splits = {fold: split_of(run) for fold, run in one_of_each.items()}
    for one, split in splits.items():
        validated = {clip.speaker for clip in split.validation}
        for other, tested in splits.items():
            if validated & {clip.speaker for clip in tested.test}:
                raise RecipeError(
                    f"fold {one} validates on people on whom fold {other} is tested: a plan cannot have both"
                )


def _heard(run: Run) -> tuple[Clip, ...]:
    """Everybody's clips but those of the test speakers."""
    split = split_of(run)
    return (*split.train, *split.validation, *auxiliary_clips(run, split))


def key(recipe: Recipe) -> str:
    """The same for the same recipe, whatever settings exist by now that it does not name."""
    words = {"version", "description", "claim", "screened"}
    named = recipe.model_dump_json(exclude_unset=True, exclude=words)
    return sha256(named.encode()).hexdigest()[:12]


def _trial(plan: Plan, change: str, member: Member) -> Trial:
    done = summary(member.folder)
    tried = next(each for each in plan.changes if each.name == change)
    return Trial(
        change=change,
        recipe=plan.recipe,
        settings=written_out(plan, tried),
        key=key(member.recipe),
        fold=str(member.run.fold),
        seed=member.run.seed,
        epochs=int(done["epochs"]),
        kept_epoch=int(done["best_epoch"]),
        parameters=int(done["parameters"]),
        validation_uar=round(float(done["validation_uar"]), 5),
        validation_accuracy=round(float(done["validation_accuracy"]), 5),
        validation_loss=round(float(done["validation_loss"]), 5),
        cpu_seconds=round(
            sum(float(summary(each.folder)["cpu_seconds"]) for each in (*member.teachers, member)),
            1,
        ),
        revision=str(done["revision"]),
    )


def _add(log: Path, trials: Sequence[Trial]) -> None:
    """Put trials into a log; one that stands there already stays as it was."""
    known = read(log)
    there = {_identity(trial) for trial in known}
    new = {_identity(trial): trial for trial in trials if _identity(trial) not in there}
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Trial)])
        writer.writerows(astuple(trial) for trial in (*known, *new.values()))


def _identity(trial: Trial) -> tuple[str, str, int, str]:
    return trial.key, trial.fold, trial.seed, trial.revision


def _parsed(row: Mapping[str, str]) -> Trial:
    read_as: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "str": str}
    kinds = get_type_hints(Trial)
    return Trial(**{name: read_as[kinds[name].__name__](value) for name, value in row.items()})
