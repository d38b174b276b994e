"""Runs laid out again from the evidence of a shipped model, so that more seeds or protocols join them."""

import json
import shutil
from pathlib import Path

from training import crossval, predictions, robustness
from training.crossval import BUNDLE, EVIDENCE, TEST, VALIDATION, run_folder
from training.errors import RunError
from training.evidence import RUNS
from training.recipe import Recipe
from training.task import is_recipe, mark_finished
from undertone.bundle import Bundle, open_bundle


def restore(recipe: Recipe, out: Path, models: Path) -> list[Path]:
    """Lay out below ``out`` the finished runs that ``models/<recipe.model>`` vouches for.

    Their predictions and summaries are all there; their networks are not, but for the one of the first
    fold. Runs that stand there already are left as they are.

    Returns:
        The folders of the runs that were laid out.

    Raises:
        RunError: the model is of another recipe.
        BundleError: it is not there, or not as it was exported.
    """
    bundle = open_bundle(models / recipe.model)
    require_same_recipe(bundle, recipe)
    laid_out = []
    tried = out / recipe.name / robustness.FOLDER
    if (bundle.path / robustness.FOLDER).is_dir() and not tried.exists():
        shutil.copytree(bundle.path / robustness.FOLDER, tried)
    for kind, name in EVIDENCE.items():
        evidence = bundle.path / name
        if not evidence.is_dir():
            continue
        tables = {
            TEST: predictions.read(evidence / crossval.PREDICTIONS),
            VALIDATION: predictions.read(evidence / crossval.VALIDATION),
        }
        for summary in json.loads((evidence / RUNS).read_text()):
            fold, seed = str(summary["fold"]), int(summary["seed"])
            folder = run_folder(out / recipe.name / kind, fold, seed)
            if folder.exists():
                continue
            folder.mkdir(parents=True)
            for file, table in tables.items():
                predictions.write(folder / file, table.of_seed(seed).of_fold(fold))
            kept = evidence / f"fold-{fold}"
            if kept.is_dir() and seed == tables[TEST].seeds[0]:
                shutil.copytree(kept, folder / BUNDLE)
            mark_finished(folder, recipe, summary)
            laid_out.append(folder)
    return laid_out


def require_same_recipe(bundle: Bundle, recipe: Recipe) -> None:
    """Refuse what is not the recipe of a model; one of before a setting existed has its default.

    Raises:
        RunError: the model was made by another.
    """
    kept = bundle.path / EVIDENCE["unseen"] / crossval.RECIPE
    if not is_recipe(json.loads(kept.read_text()), recipe):
        raise RunError(
            f"{bundle.path} was made by another recipe than {recipe.name} is now; "
            "`undertone-train fit` makes it anew"
        )
