"""What was measured of a recipe after its model was shipped, put beside the model."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from rich.console import Console

from training import corpora, crossval, predictions, trial
from training.card import write_card
from training.clip import Clip
from training.crossval import EVIDENCE, Crossval
from training.errors import RunError
from training.evidence import (
    RUNS,
    chosen_epochs,
    copy_conditions,
    finished,
    require_conditions,
    write_evidence,
)
from training.predictions import Predictions
from training.protocols import Reported, protocol
from training.recipe import Recipe
from training.restore import require_same_recipe
from training.task import read_clips
from undertone.bundle import CARD, Bundle, Metrics, open_bundle, seal
from undertone.classifier import load

ELSEWHERE: Final = "elsewhere"
"""The folder of a bundle in which predictions of corpora lie that it learnt nothing from."""


def vouch(
    recipe: Recipe,
    data: Path,
    out: Path,
    models: Path,
    *,
    seed: int = 0,
    on: Sequence[str] = (),
    overrides: Sequence[str] = (),
    console: Console | None = None,
) -> Bundle:
    """Give ``models/<recipe.model>`` what was measured since: with more seeds, by other protocols, in noise.

    Predictions, manifest and card get the new figures; network, temperature and threshold stay as they are.
    A card that this code would write otherwise is news, too.

    Args:
        recipe: of the model.
        data: the folder that holds the corpora.
        out: where the runs are.
        models: where the bundle is.
        seed: that the model was shipped with.
        on: corpora that it learnt nothing from, which it is to hear now.
        overrides: what of the recipe was replaced, for the command that the figures name.
        console: where the bars go.

    Raises:
        RunError: the model is of another recipe, or learnt from one of ``on``, or there is nothing new,
            or the runs with more seeds are not those of the model and others after them.
        UndertoneError: recordings or the bundle are missing.
    """
    bundle = open_bundle(models / recipe.model)
    require_same_recipe(bundle, recipe)
    clips = read_clips(recipe, data)
    new = {
        kind: evidence
        for kind, evidence in finished(recipe, clips, out, overrides).items()
        if _is_news(bundle, recipe, clips, kind, evidence)
    }
    unseen = new.get("unseen") or _shipped(bundle, recipe, clips, "unseen")
    conditions = require_conditions(out / recipe.name, unseen)
    # Before anything is changed, since a bundle with a file too many does not load.
    heard = _elsewhere(bundle, data, on, console or Console(stderr=True))
    tried = copy_conditions(conditions, bundle)
    runs = json.loads((bundle.path / EVIDENCE["unseen"] / RUNS).read_text())
    epochs = chosen_epochs(runs, seed)
    if (
        not new
        and not tried
        and not heard
        and _card_is_up_to_date(bundle, recipe, clips, epochs, seed)
    ):
        raise RunError(
            f"{out / recipe.name}: nothing finished there that {bundle.path} does not have; "
            "`undertone-train crossval --protocol random` measures it on a random split, "
            "`undertone-train vouch --on CORPUS` on one that it never heard"
        )
    for kind, evidence in new.items():
        write_evidence(bundle.path / EVIDENCE[kind], recipe, evidence)
    for table, figures in heard:
        (bundle.path / figures.predictions).parent.mkdir(exist_ok=True)
        predictions.write(bundle.path / figures.predictions, table)
    metrics = {
        **{each.protocol.name: each.metrics for each in new.values()},
        **{table.protocol[0]: figures for table, figures in heard},
    }
    calibration = bundle.manifest.calibration
    if "unseen" in new and not calibration.seeds:
        # More validation clips lie there now than the temperature was fitted on.
        fitted = bundle.manifest.metrics[new["unseen"].protocol.name].seeds
        calibration = calibration.model_copy(update={"seeds": fitted})
    manifest = bundle.manifest.model_copy(
        update={
            "metrics": {**bundle.manifest.metrics, **metrics},
            "calibration": calibration,
        }
    )
    runs = json.loads((bundle.path / EVIDENCE["unseen"] / RUNS).read_text())
    vouched = Bundle(bundle.path, manifest)
    _write_card(vouched, recipe, clips, chosen_epochs(runs, seed), seed)
    return seal(bundle.path, manifest)


def _write_card(
    bundle: Bundle, recipe: Recipe, clips: tuple[Clip, ...], epochs: int, seed: int
) -> None:
    """The card of all evidence that lies in a bundle."""
    measured = {
        kind: _shipped(bundle, recipe, clips, kind)
        for kind, folder in EVIDENCE.items()
        if (bundle.path / folder).is_dir()
    }
    write_card(bundle, recipe, measured, epochs=epochs, seed=seed)


def _card_is_up_to_date(
    bundle: Bundle, recipe: Recipe, clips: tuple[Clip, ...], epochs: int, seed: int
) -> bool:
    """Whether the same card would be written again; tried on a copy, since figures are drawn beside it."""
    with TemporaryDirectory() as folder:
        copy = Bundle(Path(shutil.copytree(bundle.path, Path(folder) / "copy")), bundle.manifest)
        _write_card(copy, recipe, clips, epochs, seed)
        return (copy.path / CARD).read_bytes() == (bundle.path / CARD).read_bytes()


def _is_news(
    bundle: Bundle, recipe: Recipe, clips: tuple[Clip, ...], kind: Reported, evidence: Crossval
) -> bool:
    """Whether a protocol was not measured of the model, or with fewer seeds."""
    if evidence.protocol.name not in bundle.manifest.metrics:
        return True
    shipped = _shipped(bundle, recipe, clips, kind)
    more, has = evidence.metrics.seeds, shipped.metrics.seeds
    if set(more) <= set(has):
        return False
    if missing := set(has) - set(more):
        raise RunError(
            f"{evidence.folder} lacks the runs with seed {', '.join(map(str, sorted(missing)))}, of "
            f"which {bundle.path} tells; `undertone-train restore {recipe.name}` lays them out"
        )
    if more[0] != has[0]:
        raise RunError(
            f"{bundle.path} tells of seed {has[0]} first, and seed {more[0]} would come before it; "
            "`undertone-train fit` makes the model anew"
        )
    for seed in has:
        before, after = (each.test.of_seed(seed) for each in (shipped, evidence))
        if before.file != after.file or not np.allclose(
            before.probabilities, after.probabilities, atol=1e-6
        ):
            raise RunError(
                f"{evidence.folder} holds other runs with seed {seed} than those of {bundle.path}; "
                f"`undertone-train restore {recipe.name}` into another folder lays those out"
            )
    return True


def _elsewhere(
    bundle: Bundle, data: Path, names: Sequence[str], console: Console
) -> list[tuple[Predictions, Metrics]]:
    """What the model answers on those corpora, and what that comes to."""
    if known := [name for name in names if trial.knows_speakers_of(bundle.manifest, name)]:
        raise RunError(
            f"{bundle.manifest.name} knows the speakers of {', '.join(known)}: --on is for those it "
            "never heard"
        )
    if not names:
        return []
    model = load(bundle.path)
    return [
        trial.hear(model, name, corpora.read(name, data), f"{ELSEWHERE}/{name}.csv", console)
        for name in dict.fromkeys(names)
    ]


def _shipped(bundle: Bundle, recipe: Recipe, clips: tuple[Clip, ...], kind: Reported) -> Crossval:
    """The evidence that lies in a bundle."""
    folder = bundle.path / EVIDENCE[kind]
    measured = protocol(kind, recipe.corpora, clips)
    return Crossval(
        folder,
        recipe.emotions,
        measured,
        bundle.manifest.metrics[measured.name],
        predictions.read(folder / crossval.PREDICTIONS),
        predictions.read(folder / crossval.VALIDATION),
    )
