"""Features of clips, extracted once and kept: a second run, another fold, another seed reads them.

They lie in a folder named after everything they depend on but the clip: the spec, the augmentation of
sound, and the code of both. What chance does to a clip follows from its name, so every run hears the
same variants of it.
"""

import hashlib
import inspect
import json
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from training import augment, bands, conditions, voices
from training.augment import variants
from training.clip import Clip
from training.errors import CorpusError
from training.recipe import Recipe
from undertone import audio, features, frames, preprocess, wav
from undertone.features import extract

_CHUNK: Final = 16

_MODULES: Final = (audio, wav, preprocess, frames, features, augment, bands, conditions, voices)


def extracted(clip: Clip, recipe: Recipe, folder: Path) -> NDArray[np.float32]:
    """A clip and its variants as features, ``float32[1 + variants, frames, width]``; the clip is first.

    Args:
        clip: which.
        recipe: its spec, and its augmentation of sound.
        folder: where features are kept; read from there, or extracted and written.

    Raises:
        AudioError: the clip cannot be read.
        CorpusError: it is longer than one pass.
    """
    path = _path(clip, recipe, folder)
    try:
        kept: NDArray[np.float32] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        kept = _extract(clip, recipe)
        _write(path, kept)
    return kept


def extract_all(
    clips: Sequence[Clip], recipe: Recipe, folder: Path, *, jobs: int, console: Console
) -> None:
    """Keep the features of every clip that has none yet, on ``jobs`` cores, with a bar.

    Raises:
        AudioError, CorpusError: as `extracted` says.
    """
    missing = [clip for clip in clips if not _path(clip, recipe, folder).is_file()]
    if not missing:
        return
    work = partial(_keep, recipe=recipe, folder=folder)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(missing)), mp_context=context) as executor:
        done = executor.map(work, missing, chunksize=_CHUNK)
        for _ in track(done, "extracting features", total=len(missing), console=console):
            pass


def _keep(clip: Clip, recipe: Recipe, folder: Path) -> None:
    extracted(clip, recipe, folder)


def _extract(clip: Clip, recipe: Recipe) -> NDArray[np.float32]:
    spec = recipe.spec
    samples = audio.read(clip.path, spec.sr).samples
    # What only trains may be longer: its middle is heard, and nothing is claimed of the rest.
    if not _only_trains(clip, recipe) and samples.size > spec.windows.clip_s * spec.sr:
        raise CorpusError(
            f"{clip.path} is longer than the {spec.windows.clip_s:g} s that the recipe hears in one "
            "pass: cut it, or raise spec.windows.clip_s"
        )
    seed = hashlib.sha256(f"{clip.corpus}/{clip.name}".encode()).digest()
    generator = np.random.default_rng(int.from_bytes(seed[:8]))
    copies = variants(samples, spec.sr, recipe.augmentation, generator)
    return np.stack([extract(copy, spec) for copy in copies])


def _path(clip: Clip, recipe: Recipe, folder: Path) -> Path:
    settings = recipe.augmentation
    what: list[Any] = [
        recipe.spec.model_dump(mode="json"),
        [settings.variants, settings.speed, settings.noise_snr_db],
        _code(),
    ]
    if any(way := (settings.babble, settings.room, settings.clipping, settings.telephone)):
        what.append(way)
    if settings.pitch:
        what.append({"pitch": settings.pitch})
    if _only_trains(clip, recipe):
        what.append(["only trains"])
    key = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]
    # A file that was replaced is another clip, whatever its name.
    status = clip.path.stat()
    stamp = f"{clip.path.resolve()} {status.st_size} {status.st_mtime_ns}"
    name = clip.name.replace("/", "-")[-100:]
    return folder / key / f"{name}-{hashlib.sha256(stamp.encode()).hexdigest()[:16]}.npy"


@cache
def _code() -> str:
    """A name for the code that makes features: another one makes others, if only a little."""
    sources = [Path(inspect.getfile(module)).read_bytes() for module in _MODULES]
    return hashlib.sha256(b"".join(sources)).hexdigest()[:16]


def _only_trains(clip: Clip, recipe: Recipe) -> bool:
    return clip.corpus in recipe.auxiliary.corpora


def _write(path: Path, array: NDArray[np.float32]) -> None:
    """Whole or not at all: two processes may extract the same clip at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as file:
        np.save(file, array)
    part.replace(path)
