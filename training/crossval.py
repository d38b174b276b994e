"""All folds of a recipe under one protocol, and what they come to together."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from rich.console import Console

from training import predictions
from training.clip import Clip
from training.errors import RunError
from training.evaluate import evaluate
from training.extraction import extract_all
from training.licences import corpus
from training.pool import default_jobs, do_all
from training.predictions import Predictions
from training.protocols import KINDS, Kind, Protocol, Reported, protocol
from training.provenance import revision
from training.recipe import Recipe, resolved
from training.recipe import names as recipe_names
from training.task import (
    Member,
    Report,
    Run,
    all_clips,
    identified,
    is_finished,
    is_recipe,
    read_clips,
)
from training.twins import require_no_twins
from undertone.bundle import Metrics

PREDICTIONS: Final = "predictions.csv"
VALIDATION: Final = "validation.csv"
TEST: Final = "test.csv"
METRICS: Final = "metrics.json"
RECIPE: Final = "recipe.json"
FEATURES: Final = "features"

TRAINED_ANEW: Final = "after validation, trained once more with the validation clips"
"""What a protocol says of a recipe whose networks are."""

BUNDLE: Final = "bundle"
"""The folder of a run in which its network lies, exported."""

EVIDENCE: Final[dict[Reported, str]] = {
    "unseen": "crossval",
    "unseen-5": "crossval-5",
    "random": "random",
}
"""The folder of a bundle in which the predictions of each protocol lie."""


@dataclass(frozen=True, slots=True)
class Crossval:
    """A finished cross-validation."""

    folder: Path
    emotions: tuple[str, ...]
    protocol: Protocol
    metrics: Metrics
    test: Predictions
    validation: Predictions


def crossval(
    recipe: Recipe,
    data: Path,
    out: Path,
    *,
    kind: Reported = "unseen",
    folds: Sequence[str] | None = None,
    seeds: Sequence[int] = (0,),
    overrides: Sequence[str] = (),
    jobs: int | None = None,
    console: Console | None = None,
) -> Crossval:
    """Run what is not finished yet of the folds and seeds, and evaluate all of them together.

    Args:
        recipe: what to train.
        data: the folder that holds the corpora.
        out: runs go to ``out/<recipe>/<kind>/fold-…-seed-…``, features to ``out/features``.
        kind: of protocol.
        folds: of the protocol; all where left out.
        seeds: every fold is trained once with each; named twice, one counts once.
        overrides: what of the recipe was replaced, for the command that the figures name.
        jobs: runs at a time; as many as there are cores where left out.
        console: where the bars go.

    Raises:
        UndertoneError: recordings are missing, or a run failed.
    """
    clips = read_clips(recipe, data)
    require_no_twins(clips)
    chosen = protocol(kind, recipe.corpora, clips)
    asked = {chosen.require(fold) for fold in folds or chosen.folds}
    folds = [fold for fold in chosen.folds if fold in asked]
    seeds = list(dict.fromkeys(seeds))
    folder = out / recipe.name / kind
    code = revision()
    runs = [
        identified(
            Run(
                recipe,
                seed,
                data,
                run_folder(folder, fold, seed),
                out / FEATURES,
                code,
                kind,
                fold,
                overrides=tuple(overrides),
            ),
            chosen.split(fold, seed),
        )
        for seed in seeds
        for fold in folds
    ]
    jobs, console = jobs or default_jobs(), console or Console(stderr=True)
    unfinished = [run for run in runs if not is_finished(run)]
    if unfinished:
        extract_all(all_clips(recipe, data), recipe, out / FEATURES, jobs=jobs, console=console)
    for stage in zip(*(run.stages for run in unfinished), strict=True):
        do_all(list(chain(*stage)), train_member, jobs, console)
    do_all(unfinished, assemble_run, jobs, console, fresh=False)
    result = collect(recipe, chosen, kind, folder, folds, seeds, overrides)
    predictions.write(folder / PREDICTIONS, result.test)
    predictions.write(folder / VALIDATION, result.validation)
    (folder / METRICS).write_text(result.metrics.model_dump_json(indent=2) + "\n")
    (folder / RECIPE).write_text(resolved(recipe) + "\n")
    return result


def collect(
    recipe: Recipe,
    chosen: Protocol,
    kind: Reported,
    folder: Path,
    folds: Sequence[str],
    seeds: Sequence[int],
    overrides: Sequence[str] = (),
) -> Crossval:
    """The results of finished runs below ``folder``.

    Raises:
        RunError: a run is not finished, or tested other clips than are there now.
    """
    runs = [(run_folder(folder, fold, seed), fold, seed) for seed in seeds for fold in folds]
    test = predictions.concatenate(
        _tested(path / TEST, chosen.split(fold, seed).test) for path, fold, seed in runs
    )
    validation = predictions.concatenate(predictions.read(path / VALIDATION) for path, *_ in runs)
    part = () if len(folds) == len(chosen.folds) else tuple(folds)
    partly = f"; here only fold {', '.join(part)}" if part else ""
    metrics = evaluate(
        test,
        protocol=described(recipe, chosen) + partly,
        command=command(recipe, kind, part, seeds, overrides),
        file=f"{EVIDENCE[kind]}/{PREDICTIONS}",
    )
    return Crossval(folder, recipe.emotions, chosen, metrics, test, validation)


def _tested(file: Path, clips: Sequence[Clip]) -> Predictions:
    """What a run answered of its test clips, which must be these."""
    table = predictions.read(file)
    answered = {
        (name, speaker, table.emotions[label])
        for name, speaker, label in zip(table.file, table.speaker, table.truth, strict=True)
    }
    if others := answered ^ {(clip.name, clip.speaker, clip.emotion) for clip in clips}:
        raise RunError(
            f"{file.parent} tested other clips than are there now ({len(others)} differ, as "
            f"{min(others)[0]}): remove it, or choose another --out"
        )
    return table


def measured(recipe: Recipe, out: Path) -> dict[Reported, Metrics]:
    """What was last measured of this very recipe below ``out``, under each protocol that was run."""
    found: dict[Reported, Metrics] = {}
    for kind in KINDS:
        folder = out / recipe.name / kind
        kept = folder / RECIPE
        if kept.is_file() and is_recipe(json.loads(kept.read_text()), recipe):
            found[kind] = Metrics.model_validate_json((folder / METRICS).read_text())
    return found


def described(recipe: Recipe, chosen: Protocol) -> str:
    """What was done, in words."""
    text = chosen.description
    if recipe.auxiliary.corpora:
        names = " and ".join(corpus(name).name for name in recipe.auxiliary.corpora)
        text += f"; {names}, of whoever is not held out, helped to train"
    if teachers := recipe.distillation.teachers:
        text += (
            f"; each network learnt from {teachers} that were trained before it on the same clips"
        )
    if recipe.retrain:
        text += f"; {TRAINED_ANEW}"
    return text


def run_folder(folder: Path, fold: str, seed: int) -> Path:
    """Where a run's results go."""
    return folder / f"fold-{fold}-seed-{seed}"


def train_member(member: Member, report: Report) -> None:
    """`training.member.train`, imported where it runs: this process needs no TensorFlow."""
    from training.member import train

    train(member, report)


def assemble_run(run: Run, report: Report) -> None:
    """`training.run.assemble`, imported where it runs."""
    from training.run import assemble

    assemble(run, report)


def command(
    recipe: Recipe,
    kind: Kind,
    folds: Sequence[str],
    seeds: Sequence[int],
    overrides: Sequence[str] = (),
) -> str:
    """What to type to run those folds (none named: all) and seeds."""
    shipped = recipe.name in recipe_names()
    words = ["undertone-train crossval", recipe.name if shipped else f"{recipe.name}.toml"]
    words += [] if kind == "unseen" else [f"--protocol {kind}"]
    words += [] if kind == "random" else [f"--fold {fold}" for fold in folds]
    words += [f"--seed {seed}" for seed in seeds]
    words += [f"--set {shlex.quote(override)}" for override in overrides]
    return " ".join(words)
