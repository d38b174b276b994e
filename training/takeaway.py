"""Features of a recipe as one file, split into sides, for those who want to take them elsewhere."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from training.dataset import Dataset, evaluation_set
from training.errors import RecipeError
from training.extraction import extract_all
from training.protocols import Reported, protocol
from training.recipe import Recipe
from training.task import read_clips
from training.twins import require_no_twins


def take_away(
    recipe: Recipe,
    data: Path,
    cache: Path,
    target: Path,
    *,
    kind: Reported,
    fold: str | None,
    seed: int,
    jobs: int,
    console: Console,
) -> dict[str, Dataset]:
    """Write the features, labels, names and speakers of every side to an ``.npz`` or a ``.json``.

    Clips stand there as they are: no variant of them.

    Args:
        recipe: whose spec and emotions.
        data: the folder that holds the corpora.
        cache: where features are kept between runs.
        target: its suffix says how it is written.
        kind: of protocol.
        fold: of the protocol; the first where left out.
        seed: of a random split.
        jobs: cores to extract on.
        console: where the bar goes.

    Raises:
        RecipeError: another suffix.
        UndertoneError: recordings are missing or cannot be read.
    """
    if target.suffix not in (".npz", ".json"):
        raise RecipeError(f"{target}: features are written as .npz or as .json")
    target.parent.mkdir(parents=True, exist_ok=True)
    plain = recipe.augmentation.model_copy(update={"variants": 0})
    recipe = recipe.model_copy(update={"augmentation": plain})
    clips = read_clips(recipe, data)
    require_no_twins(clips)
    measured = protocol(kind, recipe.corpora, clips)
    split = measured.split(measured.require(fold), seed)
    extract_all(clips, recipe, cache, jobs=jobs, console=console)
    sides = {
        name: evaluation_set(side, recipe, cache)
        for name, side in (
            ("train", split.train),
            ("validation", split.validation),
            ("test", split.test),
        )
    }
    columns: dict[str, Any] = {"emotions": np.array(recipe.emotions)}
    for name, side in sides.items():
        columns |= {
            f"{name}_features": side.plain,
            f"{name}_labels": side.truth,
            f"{name}_files": np.array([clip.name for clip in side.clips]),
            f"{name}_speakers": np.array([clip.speaker for clip in side.clips]),
        }
    if target.suffix == ".npz":
        np.savez_compressed(target, **columns)
    else:
        target.write_text(json.dumps({name: column.tolist() for name, column in columns.items()}))
    return sides
