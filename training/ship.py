"""The model that is shipped: trained on everybody, vouched for by the cross-validation of its recipe."""

import json
import shutil
import statistics
from pathlib import Path
from typing import Final

import keras
import numpy as np
from rich.console import Console

from training import crossval, metrics, predictions
from training.calibrate import fit_temperature, softmax, uncalibrated
from training.card import write_card
from training.crossval import Crossval, run_folder, train_member
from training.errors import RunError
from training.export import write_bundle
from training.member import MODEL
from training.network import average
from training.pool import default_jobs, do_all
from training.predictions import Predictions
from training.provenance import revision
from training.recipe import Recipe, resolved
from training.run import BUNDLE
from training.splits import EMOBOX
from training.task import Run, code_of, is_finished_in, read_clips, summary
from undertone.bundle import Bundle, Calibration, seal

CROSSVAL: Final = "crossval"
"""The folder of the bundle that holds what its figures are computed from."""

FOLD: Final = 1
"""The fold whose model is kept there, so that anybody can check that service and training agree."""


def ship(
    recipe: Recipe,
    data: Path,
    out: Path,
    models: Path,
    *,
    seed: int = 0,
    jobs: int | None = None,
    console: Console | None = None,
) -> Bundle:
    """Train on all clips, export to ``models/<recipe.model>``, and put the evidence beside it.

    Epochs are the median of those that validation chose for the members of ``seed``'s runs; the
    temperature is fitted on the validation logits of all runs, pooled over folds and seeds.

    Raises:
        RunError: the cross-validation below ``out`` is not finished.
        UndertoneError: recordings are missing, or the export failed.
    """
    folder = out / recipe.name
    seeds = finished_seeds(recipe, folder)
    if seed not in seeds:
        raise RunError(
            f"{folder}: cross-validated with seeds {', '.join(map(str, seeds))}, not with {seed}"
        )
    epochs = chosen_epochs(folder, seed)
    final = Run(
        recipe,
        seed,
        data,
        folder / f"everybody-{epochs}-epochs-seed-{seed}",
        revision(),
        fold=None,
        epochs=epochs,
    )
    read_clips(recipe, data)
    do_all(final.members, train_member, jobs or default_jobs(), console or Console(stderr=True))
    evidence = crossval.collect(recipe, folder, sorted(EMOBOX), seeds)
    bundle = write_bundle(
        models / recipe.model,
        average([keras.saving.load_model(member.folder / MODEL) for member in final.members]),
        recipe,
        name=recipe.model,
        description=recipe.description,
        calibration=calibrate(evidence.validation),
        metrics={crossval.PROTOCOL: evidence.metrics},
        revision=code_of(final),
    )
    _write_evidence(bundle.path / CROSSVAL, folder, recipe, evidence)
    write_card(bundle, evidence, epochs=epochs, seed=seed)
    return seal(bundle.path, bundle.manifest)


def chosen_epochs(folder: Path, seed: int) -> int:
    """The median of the epochs that validation chose for the members of a seed's runs.

    Raises:
        RunError: a run is not finished.
    """
    runs = [summary(run_folder(folder, fold, seed)) for fold in sorted(EMOBOX)]
    chosen = [int(each["best_epoch"]) for run in runs for each in run["members"]]
    return round(statistics.median(chosen))


def calibrate(validation: Predictions) -> Calibration:
    """The temperature for pooled validation predictions, and what it does to their ECE."""
    logits = np.log(
        np.maximum(
            uncalibrated(validation.probabilities, validation.temperature),
            np.finfo(np.float64).tiny,
        )
    )
    temperature = fit_temperature(logits, validation.truth)
    return Calibration(
        temperature=temperature,
        ece_before=metrics.ece(validation.truth, softmax(logits)),
        ece_after=metrics.ece(validation.truth, softmax(logits, temperature)),
        fitted_on="validation logits, pooled over folds and seeds",
    )


def _write_evidence(target: Path, folder: Path, recipe: Recipe, evidence: Crossval) -> None:
    """Predictions, the recipe as it was, each run's summary, and the model of one fold."""
    target.mkdir()
    predictions.write(target / crossval.PREDICTIONS, evidence.test)
    predictions.write(target / crossval.VALIDATION, evidence.validation)
    (target / "recipe.json").write_text(resolved(recipe) + "\n")
    summaries = [
        {
            key: value
            for key, value in summary(run_folder(folder, fold, seed)).items()
            if key != "recipe"
        }
        for seed in evidence.metrics.seeds
        for fold in sorted(EMOBOX)
    ]
    (target / "runs.json").write_text(json.dumps(summaries, indent=2) + "\n")
    first = run_folder(folder, FOLD, evidence.metrics.seeds[0])
    shutil.copytree(first / BUNDLE, target / f"fold-{FOLD}")


def finished_seeds(recipe: Recipe, folder: Path) -> tuple[int, ...]:
    """The seeds with which every fold of this very recipe was run, sorted.

    Raises:
        RunError: there is none, or a run is of another recipe.
    """
    found = {int(path.name.rsplit("-", 1)[1]) for path in folder.glob("fold-*-seed-*")}
    seeds = tuple(
        seed
        for seed in sorted(found)
        if all(is_finished_in(run_folder(folder, fold, seed), recipe) for fold in EMOBOX)
    )
    if not seeds:
        raise RunError(
            f"{folder}: no finished cross-validation; run `undertone-train crossval` first"
        )
    return seeds
