"""The model that is shipped: trained on everybody, vouched for by the cross-validation of its recipe."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import keras
import numpy as np
from rich.console import Console

from training import abstain, crossval, metrics
from training.calibrate import HEARD, fit_temperature, softmax, uncalibrated
from training.card import write_card
from training.compile import compile_network
from training.corpora import READERS
from training.crossval import BUNDLE, EVIDENCE, run_folder, train_member
from training.errors import RunError
from training.evidence import (
    chosen_epochs,
    copy_conditions,
    finished,
    require_conditions,
    summaries,
    write_evidence,
)
from training.export import require_free, write_bundle
from training.extraction import extract_all
from training.member import MODEL
from training.network import average
from training.pool import default_jobs, do_all
from training.predictions import Predictions
from training.provenance import revision
from training.recipe import Recipe
from training.task import Run, all_clips, code_of, identified, read_clips, split_of
from undertone.bundle import Bundle, Calibration, open_bundle, seal
from undertone.spec import Centre, Level, Spec, Trim

LOG: Final = "experiments.csv"
"""The log of what was tried, beside a model whose recipe came of it."""


def ship(
    recipe: Recipe,
    data: Path,
    out: Path,
    models: Path,
    *,
    log: Path,
    seed: int = 0,
    overrides: Sequence[str] = (),
    jobs: int | None = None,
    console: Console | None = None,
) -> Bundle:
    """Train on all clips, export to ``models/<recipe.model>``, and put the evidence beside it.

    What stands there is replaced once the new model is whole, if it is a model; it is never anything else.

    The model of the first fold is kept, too, so that anybody can check that service and training agree; so
    are what `training.robustness` measured and, of a recipe that was screened, the log of all trials.

    Epochs are the median of those that validation chose for the members of ``seed``'s runs; the
    temperature is fitted on the validation logits of all runs, pooled over folds and seeds (see
    `fit_temperature`), and so is, where they are of unheard speakers, the threshold below which an
    answer carries a warning.

    Raises:
        RunError: the cross-validation below ``out`` is not finished, there is no log, what worse
            conditions cost was measured of something else, or the place is taken by what is no model.
        UndertoneError: recordings are missing, or the export failed.
    """
    target = models / recipe.model
    require_free(target)
    if recipe.screened and not log.is_file():
        raise RunError(
            f"{log}: no log there of the trials from which {recipe.name} came; name it with --log"
        )
    clips = read_clips(recipe, data)
    evidence = finished(recipe, clips, out, overrides)
    unseen = evidence.get("unseen")
    if unseen is None or seed not in unseen.metrics.seeds:
        raise RunError(
            f"{out / recipe.name}: no finished cross-validation with seed {seed}; "
            "run `undertone-train crossval` first"
        )
    for fold in recipe.screened:
        unseen.protocol.require(fold)
    conditions = require_conditions(out / recipe.name, unseen)
    epochs = chosen_epochs(summaries(unseen), seed)
    final = Run(
        recipe,
        seed,
        data,
        out / recipe.name / f"everybody-{epochs}-epochs-seed-{seed}",
        out / crossval.FEATURES,
        revision(),
        "unseen",
        fold=None,
        epochs=epochs,
    )
    final = identified(final, split_of(final))
    jobs, console = jobs or default_jobs(), console or Console(stderr=True)
    extract_all(all_clips(recipe, data), recipe, final.features, jobs=jobs, console=console)
    for stage in final.stages:
        do_all(stage, train_member, jobs, console)
    heard = unseen.protocol.split(unseen.protocol.folds[0], seed).validates_on_heard
    # Beside what it replaces, which stays until this one is whole; hidden, so that nobody serves it.
    part = models / f".{recipe.model}.part"
    bundle = write_bundle(
        part,
        average([keras.saving.load_model(member.folder / MODEL) for member in final.members]),
        recipe,
        name=recipe.model,
        description=recipe.description,
        calibration=calibrate(unseen.validation, heard=heard),
        metrics={each.protocol.name: each.metrics for each in evidence.values()},
        revision=code_of(final),
        spec=served(recipe),
        # How sure it is of voices that it knows says nothing about others: everything would be doubted.
        abstention_threshold=None if heard else abstain.threshold(unseen.validation),
    )
    for kind, each in evidence.items():
        write_evidence(bundle.path / EVIDENCE[kind], recipe, each)
    copy_conditions(conditions, bundle)
    if recipe.screened:
        shutil.copyfile(log, bundle.path / LOG)
    fold = unseen.protocol.folds[0]
    first = run_folder(unseen.folder, fold, unseen.metrics.seeds[0])
    shutil.copytree(first / BUNDLE, bundle.path / EVIDENCE["unseen"] / f"fold-{fold}")
    write_card(bundle, recipe, evidence, epochs=epochs, seed=seed)
    with console.status("compiling"):
        compile_network(open_bundle(bundle.path / EVIDENCE["unseen"] / f"fold-{fold}"))
        compile_network(seal(bundle.path, bundle.manifest))
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)
    return open_bundle(target)


def calibrate(validation: Predictions, *, heard: bool) -> Calibration:
    """The temperature for pooled validation predictions, and what it does to their ECE."""
    logits = np.log(
        np.maximum(
            uncalibrated(validation.probabilities, validation.temperature),
            np.finfo(np.float64).tiny,
        )
    )
    temperature = fit_temperature(logits, validation.truth, heard=heard)
    return Calibration(
        temperature=temperature,
        ece_before=metrics.ece(validation.truth, softmax(logits)),
        ece_after=metrics.ece(validation.truth, softmax(logits, temperature)),
        fitted_on=f"validation logits, pooled over folds and seeds{HEARD if heard else ''}",
        seeds=validation.seeds,
    )


def served(recipe: Recipe) -> Spec:
    """What a model of the recipe hears: an offset is taken away before silence is cut and loudness levelled.

    Recipes of before there was that step go without it, and their networks learnt nothing else: recordings of
    published corpora have no offset to speak of (tests/models/test_answers.py). Of others nobody knows.
    """
    steps = recipe.spec.preprocess
    heeds = any(isinstance(step, Trim | Level) for step in steps)
    if not heeds or Centre() in steps or not set(recipe.corpora) <= set(READERS):
        return recipe.spec
    return recipe.spec.model_copy(update={"preprocess": (Centre(), *steps)})
