"""What vouches for a model: its finished runs, and what of them lies in its bundle."""

import json
import re
import shutil
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from training import crossval, predictions, robustness
from training.clip import Clip
from training.conditions import CONDITIONS, PLAIN
from training.crossval import Crossval, run_folder
from training.errors import RunError
from training.protocols import KINDS, Reported, protocol
from training.recipe import Recipe, resolved
from training.task import facts_of, is_finished_in
from undertone.bundle import Bundle

_RUN: Final = re.compile(r"fold-.+-seed-(\d+)")

RUNS: Final = "runs.json"
"""The summary of each run, beside the predictions."""


def finished(
    recipe: Recipe, clips: Sequence[Clip], out: Path, overrides: Sequence[str] = ()
) -> dict[Reported, Crossval]:
    """What was measured of this very recipe, under each protocol for which all folds of a seed were run.

    Args:
        recipe: that was cross-validated.
        clips: of its corpora.
        out: where the runs are.
        overrides: what of the recipe was replaced, for the command that the figures name.

    Raises:
        RunError: a run is of another recipe, or of other clips.
    """
    found: dict[Reported, Crossval] = {}
    for kind in KINDS:
        folder = out / recipe.name / kind
        if not folder.is_dir():
            continue
        measured = protocol(kind, recipe.corpora, clips)
        runs = (_RUN.fullmatch(path.name) for path in folder.iterdir())
        present = {int(run[1]) for run in runs if run}
        seeds = [
            seed
            for seed in sorted(present)
            if all(
                is_finished_in(run_folder(folder, fold, seed), recipe) for fold in measured.folds
            )
        ]
        if seeds:
            found[kind] = crossval.collect(
                recipe, measured, kind, folder, measured.folds, seeds, overrides
            )
    return found


def summaries(evidence: Crossval) -> list[dict[str, Any]]:
    """What each run wrote of itself, but for the recipe, which they share."""
    return [
        facts_of(run_folder(evidence.folder, fold, seed))
        for seed in evidence.metrics.seeds
        for fold in evidence.protocol.folds
    ]


def chosen_epochs(runs: Sequence[Mapping[str, Any]], seed: int) -> int:
    """The median of the epochs that validation chose for the members of a seed's runs."""
    chosen = [
        int(member["best_epoch"])
        for run in runs
        if run["seed"] == seed
        for member in run["members"]
    ]
    return round(statistics.median(chosen))


def write_evidence(target: Path, recipe: Recipe, evidence: Crossval) -> None:
    """Predictions, the recipe as it was, and each run's summary."""
    target.mkdir(exist_ok=True)
    predictions.write(target / crossval.PREDICTIONS, evidence.test)
    predictions.write(target / crossval.VALIDATION, evidence.validation)
    (target / crossval.RECIPE).write_text(resolved(recipe) + "\n")
    (target / RUNS).write_text(json.dumps(summaries(evidence), indent=2) + "\n")


def require_conditions(runs: Path, unseen: Crossval) -> Path | None:
    """Where it was measured what the folds of ``unseen`` lose under worse conditions; None if it was not.

    Raises:
        RunError: it was measured of other networks, or not all of it.
    """
    folder = runs / robustness.FOLDER
    if not (folder / robustness.REPORT).is_file():
        return None
    report = json.loads((folder / robustness.REPORT).read_text())
    again = f"`undertone-train robustness {runs.name}` measures it anew, or remove the folder"
    measured = [loss["condition"] for loss in report["losses"]]
    if set(measured) != set(CONDITIONS):
        raise RunError(f"{folder} holds {len(measured)} of {len(CONDITIONS)} conditions: {again}")
    plain = predictions.read(folder / f"{list(CONDITIONS).index(PLAIN):02}.csv")
    tested = unseen.test.of_seed(report.get("seed", -1))
    if plain.file != tested.file or not np.allclose(
        plain.probabilities, tested.probabilities, atol=1e-3
    ):
        raise RunError(f"{folder} is of other networks than the cross-validation: {again}")
    return folder


def copy_conditions(folder: Path | None, bundle: Bundle) -> bool:
    """Put what `require_conditions` found beside a model; say whether that is news there."""
    target = bundle.path / robustness.FOLDER
    if folder is None:
        return False
    here, there = (each / robustness.REPORT for each in (folder, target))
    if there.is_file() and here.read_bytes() == there.read_bytes():
        return False
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder, target)
    return True
