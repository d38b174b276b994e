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
from training.errors import CorpusError, unreadable
from training.provenance import library_versions
from training.recipe import Recipe
from undertone import (
    audio,
    constant,
    features,
    foreign,
    foreign_child,
    frames,
    mel,
    mpeg,
    pcm,
    preprocess,
    resample,
    spec,
    survey,
    wav,
)
from undertone.errors import AudioError
from undertone.features import extract
from undertone.preprocess import Samples

_CHUNK: Final = 16

MODULES: Final = (
    *(audio, wav, pcm, survey, resample, foreign, foreign_child, mpeg),
    *(spec, preprocess, frames, constant, mel, features),
    *(augment, bands, conditions, voices),
)
"""What features depend on: everything between a file and them."""

_LIBRARIES: Final = ("librosa", "numpy", "scipy", "soundfile", "soxr")


def extracted(clip: Clip, recipe: Recipe, folder: Path) -> NDArray[np.float32]:
    """A clip and its variants as features, ``float32[1 + variants, frames, width]``; the clip is first.

    Args:
        clip: which.
        recipe: its spec, and its augmentation of sound.
        folder: where features are kept; read from there, or extracted and written.

    Raises:
        CorpusError: the clip cannot be read, or is longer than one pass.
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
        CorpusError: as `extracted` says.
    """
    missing = [clip for clip in clips if not _path(clip, recipe, folder).is_file()]
    if not missing:
        return
    if recipe.augmentation.pitch:
        voices.prepare()
    work = partial(_keep, recipe=recipe, folder=folder)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(missing)), mp_context=context) as executor:
        done = executor.map(work, missing, chunksize=_CHUNK)
        for _ in track(done, "extracting features", total=len(missing), console=console):
            pass


def _keep(clip: Clip, recipe: Recipe, folder: Path) -> None:
    extracted(clip, recipe, folder)


def _extract(clip: Clip, recipe: Recipe) -> NDArray[np.float32]:
    heard = recipe.spec
    samples = read_clip(clip, heard.sr)
    # What only trains may be longer: its middle is heard, and nothing is claimed of the rest.
    if not _only_trains(clip, recipe) and samples.size > heard.windows.clip_s * heard.sr:
        raise CorpusError(
            f"{clip.path} is longer than the {heard.windows.clip_s:g} s that the recipe hears in one "
            "pass: cut it, or raise spec.windows.clip_s"
        )
    seed = hashlib.sha256(f"{clip.corpus}/{clip.name}".encode()).digest()
    generator = np.random.default_rng(int.from_bytes(seed[:8]))
    copies = variants(samples, heard.sr, recipe.augmentation, generator)
    return np.stack([extract(copy, heard) for copy in copies])


def read_clip(clip: Clip, sr: int) -> Samples:
    """The sound of a clip at ``sr`` Hz, ``float32[n]``.

    Raises:
        CorpusError: it cannot be read, or there is nothing in it to hear; which one it is, is said.
    """
    try:
        return audio.read(clip.path, sr).samples
    except AudioError as error:
        raise unreadable(clip.path, error) from error


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
    name = clip.name.replace("/", "-").encode()[-100:].decode(errors="ignore")
    return folder / key / f"{name}-{hashlib.sha256(stamp.encode()).hexdigest()[:16]}.npy"


@cache
def _code() -> str:
    """A name for the code and the libraries that make features: others make others, if only a little."""
    sources = [Path(inspect.getfile(module)).read_bytes() for module in MODULES]
    versions = json.dumps(library_versions(_LIBRARIES), sort_keys=True).encode()
    return hashlib.sha256(b"".join([*sources, versions])).hexdigest()[:16]


def _only_trains(clip: Clip, recipe: Recipe) -> bool:
    return clip.corpus in recipe.auxiliary.corpora


def _write(path: Path, array: NDArray[np.float32]) -> None:
    """Whole or not at all: two processes may extract the same clip at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as file:
        np.save(file, array)
    part.replace(path)
