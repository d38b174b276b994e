"""What there is to do in a cross-validation, and how one knows that it is done.

Each task has a folder of its own, and is finished once ``done.json`` stands in it; a finished task is
never done again, so whoever is interrupted just asks again.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ValidationError

from training import corpora
from training.clip import Clip
from training.errors import RunError
from training.protocols import Kind, Protocol, protocol
from training.recipe import Recipe, resolved
from training.splits import Split

_DONE: Final = "done.json"


@dataclass(frozen=True, slots=True)
class Run:
    """A recipe, a split and a seed; plain data, so that it travels to another process."""

    recipe: Recipe
    seed: int
    data: Path
    folder: Path
    """Where its results go."""
    features: Path
    """Where extracted features are kept."""
    revision: str
    kind: Kind
    fold: str | None
    """None: everybody trains."""
    epochs: int | None = None
    """How many to train, where nobody is left to validate."""
    clips: str = ""
    """The `fingerprint` of all clips that have a part in it; empty where it is not to be compared."""
    overrides: tuple[str, ...] = ()
    """What of the recipe was replaced, for the command that its figures name."""

    @property
    def name(self) -> str:
        """What a person calls it."""
        side = "everybody" if self.fold is None else f"fold {self.fold}"
        return f"{self.recipe.name}, {side}, seed {self.seed}"

    @property
    def members(self) -> tuple["Member", ...]:
        """The networks whose average is validated."""
        return tuple(Member(self, number) for number in range(self.recipe.members))

    @property
    def tested(self) -> tuple["Member", ...]:
        """The networks whose average is tested: the same, or those that are trained anew after them."""
        if not self.recipe.retrain or self.fold is None:
            return self.members
        return tuple(replace(member, whole=True) for member in self.members)

    @property
    def teachers(self) -> tuple["Member", ...]:
        """The networks that are trained before the members, which learn from them."""
        count = self.recipe.distillation.teachers
        return tuple(Member(self, number, teacher=True) for number in range(count))

    @property
    def stages(self) -> tuple[tuple["Member", ...], ...]:
        """All networks that are trained for it, in groups: each needs those before it."""
        first = (self.teachers, self.members)
        if self.tested == self.members:
            return first
        return (*first, tuple(replace(each, whole=True) for each in self.teachers), self.tested)

    @property
    def networks(self) -> tuple["Member", ...]:
        """All that are trained for it, in an order in which that can be done."""
        return tuple(chain(*self.stages))


@dataclass(frozen=True, slots=True)
class Member:
    """One of the networks of a run."""

    run: Run
    number: int
    whole: bool = False
    """Whether the run's validation speakers train, too."""
    teacher: bool = False
    """Whether members learn from it; its own answers are not asked for."""

    @property
    def name(self) -> str:
        """What a person calls it."""
        return f"{self.run.name}, {self._role} {self.number}{' anew' if self.whole else ''}"

    @property
    def recipe(self) -> Recipe:
        """The run's."""
        return self.run.recipe

    @property
    def clips(self) -> str:
        """The run's."""
        return self.run.clips

    @property
    def trained_by(self) -> Recipe:
        """The same, with the schedule of one who learns from teachers, if it does."""
        recipe, how = self.recipe, self.recipe.distillation
        if not self.teachers:
            return recipe
        return recipe.model_copy(
            update={
                "schedule": recipe.schedule.model_copy(update={"epochs": how.epochs}),
                "augmentation": recipe.augmentation.model_copy(update={"mixup": how.mixup}),
            }
        )

    @property
    def teachers(self) -> tuple["Member", ...]:
        """The networks from which it learns; they heard the clips that it hears, and no others."""
        if self.teacher:
            return ()
        return tuple(replace(each, whole=self.whole) for each in self.run.teachers)

    @property
    def seed(self) -> int:
        """No two networks of any two runs of a fold share one; who is trained anew keeps it."""
        number = self.number + (self.recipe.members if self.teacher else 0)
        return member_seed(self.recipe, self.run.seed, number)

    @property
    def folder(self) -> Path:
        """Where its results go."""
        return self.run.folder / f"{self._role}-{self.number}{'-anew' if self.whole else ''}"

    @property
    def _role(self) -> str:
        return "teacher" if self.teacher else "member"

    @property
    def first(self) -> "Member":
        """The member that chose the epochs of one that is trained anew."""
        return replace(self, whole=False)


Task = Run | Member

Format = Literal["savedmodel", "keras", "json-h5"]
"""How the network of a finished run is handed on."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task is: ``done`` of ``total`` steps."""

    task: str
    done: int
    total: int
    note: str


Report = Callable[[Progress], None]


def member_seed(recipe: Recipe, seed: int, number: int) -> int:
    """The seed of a member of a model with that seed; teachers are counted after members."""
    return seed * (recipe.members + recipe.distillation.teachers) + number


def is_finished(task: Task) -> bool:
    """Whether the results of this very recipe, of these very clips, stand in the task's folder.

    Raises:
        RunError: those of another recipe, or of other clips, do.
    """
    if not is_finished_in(task.folder, task.recipe):
        return False
    kept = summary(task.folder).get("clips", "")
    if task.clips and kept and kept != task.clips:
        raise RunError(
            f"{task.folder} holds a run of other clips (some came, went, or are labelled otherwise since): "
            "remove it, or choose another --out"
        )
    return True


def is_finished_in(folder: Path, recipe: Recipe) -> bool:
    """Whether the results of this very recipe stand in ``folder``.

    Raises:
        RunError: those of another recipe do.
    """
    if not (folder / _DONE).is_file():
        return False
    if not is_recipe(summary(folder)["recipe"], recipe):
        raise RunError(
            f"{folder} holds a run of another recipe: remove it, or choose another --out"
        )
    return True


def fingerprint(sides: Sequence[Sequence[Clip]]) -> str:
    """The same for the same clips on the same sides, by names, speakers and emotions."""
    lines = [
        f"{number} {clip.corpus}/{clip.name} {clip.speaker} {clip.emotion}\n"
        for number, side in enumerate(sides)
        for clip in side
    ]
    return sha256("".join(lines).encode()).hexdigest()[:16]


def identified(run: Run, split: Split) -> Run:
    """The run, whose split that is, with the `fingerprint` of its clips; raises as `all_clips` does."""
    sides = (split.train, split.validation, split.test, auxiliary_clips(run, split))
    return replace(run, clips=fingerprint(sides))


def is_recipe(kept: Mapping[str, Any], recipe: Recipe) -> bool:
    """Whether ``kept`` is that recipe; a setting that did not exist when it was written has its default.

    Who chose the settings is no setting.
    """
    try:
        same = Recipe.model_validate(kept).model_copy(update={"screened": recipe.screened})
        return same == recipe
    except ValidationError:
        return False


def code_of(run: Run) -> str:
    """The revision of the code that trained the members of a run.

    Raises:
        RunError: a member is missing, or they were not all trained by the same code.
    """
    revisions = {str(summary(member.folder)["revision"]) for member in run.networks}
    if len(revisions) > 1:
        raise RunError(
            f"{run.folder}: members were trained by different code ({', '.join(sorted(revisions))}); "
            "remove those that are not wanted"
        )
    return revisions.pop()


def finish(task: Task, facts: Mapping[str, Any]) -> None:
    """Say that the task is done, and what it came to."""
    mark_finished(task.folder, task.recipe, {"seed": task.seed, "clips": task.clips, **facts})


def mark_finished(folder: Path, recipe: Recipe, facts: Mapping[str, Any]) -> None:
    """Say that the task of that folder is done, by that recipe, and what it came to."""
    body = {"recipe": json.loads(resolved(recipe)), **facts}
    # Whole or not at all: half of it would stand in the way for ever.
    part = folder / f".{_DONE}.part"
    part.write_text(json.dumps(body, indent=2) + "\n")
    part.replace(folder / _DONE)


def summary(folder: Path) -> dict[str, Any]:
    """What a finished task wrote of itself.

    Raises:
        RunError: there is no finished task, or what it wrote is damaged.
    """
    try:
        loaded: dict[str, Any] = json.loads((folder / _DONE).read_text())
    except OSError as error:
        raise RunError(
            f"{folder}: no finished run there; `undertone-train crossval` makes it"
        ) from error
    except ValueError as error:
        raise RunError(f"{folder / _DONE} is damaged ({error}): remove {folder}") from error
    return loaded


def facts_of(folder: Path) -> dict[str, Any]:
    """The summary of a finished task without what is the same for all of a cross-validation.

    Raises:
        RunError: as `summary` says.
    """
    return {key: value for key, value in summary(folder).items() if key not in ("recipe", "clips")}


def read_clips(recipe: Recipe, data: Path) -> tuple[Clip, ...]:
    """All clips of the recipe's corpora below ``data``.

    Raises:
        CorpusError: they are not there, or do not belong.
    """
    return tuple(clip for name in recipe.corpora for clip in corpora.read(name, data))


def all_clips(recipe: Recipe, data: Path) -> tuple[Clip, ...]:
    """Those of `read_clips`, then every clip of the auxiliary corpora whose emotion the recipe knows."""
    others = (clip for name in recipe.auxiliary.corpora for clip in corpora.read(name, data))
    known = (clip for clip in others if clip.emotion in recipe.emotions)
    return (*read_clips(recipe, data), *known)


def protocol_of(run: Run) -> Protocol:
    """The protocol that a run is a part of; raises as `read_clips` and `protocol` do."""
    return protocol(run.kind, run.recipe.corpora, read_clips(run.recipe, run.data))


def split_of(run: Run) -> Split:
    """Who trains, who validates and who tests in a run; raises as `protocol_of` does."""
    if run.fold is None:
        return Split("everybody", read_clips(run.recipe, run.data), (), ())
    return protocol_of(run).split(run.fold, run.seed)


def auxiliary_clips(run: Run, split: Split) -> tuple[Clip, ...]:
    """Clips of the recipe's auxiliary corpora whose speakers train, and whose emotions it knows.

    Whoever is tested or validates, and does not train, is in none of them: the people of RAVDESS also sing.
    """
    apart = {clip.speaker for clip in (*split.validation, *split.test)}
    apart -= {clip.speaker for clip in split.train}
    own = set(run.recipe.corpora)
    clips = all_clips(run.recipe, run.data) if run.recipe.auxiliary.corpora else ()
    return tuple(clip for clip in clips if clip.corpus not in own and clip.speaker not in apart)
