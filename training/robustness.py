"""What a model loses under worse conditions: each fold's own model, on the people it never heard."""

import json
import multiprocessing
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from training import metrics, predictions
from training.clip import Clip
from training.conditions import CONDITIONS, N_BABBLE, PLAIN, Scene
from training.crossval import BUNDLE, run_folder
from training.dataset import truth
from training.errors import RunError
from training.predictions import Predictions, concatenate
from training.protocols import protocol
from training.recipe import Recipe
from training.task import read_clips, summary
from undertone import audio
from undertone.classifier import Classifier, load
from undertone.errors import UnusableAudio

FOLDER: Final = "robustness"
REPORT: Final = "robustness.json"

_USUAL_HZ: Final = 16_000
"""A clip at this rate of its own is decoded once."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What a model reaches under one condition.

    Attributes:
        condition: one of `CONDITIONS`.
        uar: pooled over folds; a clip that is refused counts as wrong.
        cost: UAR that is lost against `PLAIN`.
        accuracy: likewise.
        ece: of the answers.
        refused: the share of clips in which nobody was heard to speak.
    """

    condition: str
    uar: float
    cost: float
    accuracy: float
    ece: float
    refused: float


@dataclass(frozen=True, slots=True)
class _Trial:
    """A model and whom it is tried on; plain data, so that it travels to another process."""

    bundle: Path
    fold: str
    seed: int
    protocol: str
    revision: str
    condition: str
    clips: tuple[Clip, ...]
    voices: tuple[Clip, ...]
    """Of training, to babble."""


def measure(
    recipe: Recipe,
    data: Path,
    out: Path,
    *,
    seed: int,
    conditions: Sequence[str],
    overrides: Sequence[str] = (),
    jobs: int,
    console: Console,
) -> list[Loss]:
    """Try the models of all folds of a finished cross-validation, and write what comes of it.

    Predictions go to ``out/<recipe>/robustness/<number>.csv``, one file a condition in the order of
    `CONDITIONS`, with NaN where a clip was refused; what they come to goes to ``robustness.json``. What lies
    there of other conditions stays, if it is of the same networks.

    Args:
        recipe: that was cross-validated.
        data: the folder that holds the corpora.
        out: where the runs are.
        seed: of the runs.
        conditions: of `CONDITIONS`; `PLAIN` is always tried.
        overrides: what of the recipe was replaced, for the command that the figures name.
        jobs: models at a time.
        console: where the bar goes.

    Raises:
        RunError: a fold was not run with that seed, or its network is not there.
        UndertoneError: recordings are missing.
    """
    folder = out / recipe.name
    trials = list(_trials(recipe, data, folder / "unseen", seed, (PLAIN, *conditions)))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(trials)), mp_context=context) as executor:
        done = executor.map(_try_out, trials)
        tables = list(track(done, "trying", total=len(trials), console=console))
    pooled: dict[str, list[Predictions]] = {}
    for trial, table in zip(trials, tables, strict=True):
        pooled.setdefault(trial.condition, []).append(table)
    new = {condition: concatenate(parts) for condition, parts in pooled.items()}
    every = {**_kept(folder / FOLDER, new[PLAIN]), **new}
    joined = {condition: every[condition] for condition in CONDITIONS if condition in every}
    # Only now: what was measured before stays until there is something in its place.
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    (folder / FOLDER).mkdir()
    for condition, table in joined.items():
        predictions.write(folder / FOLDER / _file(condition), table)
    found = losses(joined)
    partly = [] if len(joined) == len(CONDITIONS) else [name for name in joined if name != PLAIN]
    report = {
        "command": shlex.join(
            ["undertone-train", "robustness", recipe.name, "--seed", str(seed)]
            + [word for condition in partly for word in ("--condition", condition)]
            + [word for override in overrides for word in ("--set", override)]
        ),
        "seed": seed,
        "losses": [asdict(loss) for loss in found],
    }
    (folder / FOLDER / REPORT).write_text(json.dumps(report, indent=2) + "\n")
    return found


def _file(condition: str) -> str:
    """Where predictions under a condition lie."""
    return f"{list(CONDITIONS).index(condition):02}.csv"


def _kept(folder: Path, plain: Predictions) -> dict[str, Predictions]:
    """What lies in ``folder``, where its `PLAIN` was answered just as it is now."""
    if not (folder / _file(PLAIN)).is_file():
        return {}
    before = predictions.read(folder / _file(PLAIN))
    same = (before.file, before.revision) == (plain.file, plain.revision) and np.allclose(
        before.probabilities, plain.probabilities, atol=1e-6, equal_nan=True
    )
    if not same or set(before.seed) != set(plain.seed):
        return {}
    files = {condition: folder / _file(condition) for condition in CONDITIONS}
    return {name: predictions.read(file) for name, file in files.items() if file.is_file()}


def losses(tables: Mapping[str, Predictions]) -> list[Loss]:
    """What predictions under each condition come to; `PLAIN` must be among them."""
    plain = _recall(tables[PLAIN])
    found = []
    for condition, table in tables.items():
        answered = ~np.isnan(table.probabilities[:, 0])
        heard = table.where(answered)
        right = np.zeros(len(table), np.bool_)
        right[answered] = heard.probabilities.argmax(axis=1) == heard.truth
        uar = _recall(table)
        found.append(
            Loss(
                condition,
                uar=uar,
                cost=plain - uar,
                accuracy=float(right.mean()),
                ece=metrics.ece(heard.truth, heard.probabilities) if len(heard) else 0.0,
                refused=float(1 - answered.mean()),
            )
        )
    return found


def _recall(table: Predictions) -> float:
    """UAR; what was refused is right for nobody."""
    answered = ~np.isnan(table.probabilities[:, 0])
    predicted = np.where(answered, np.nan_to_num(table.probabilities).argmax(axis=1), -1)
    return float(
        np.mean([np.mean(predicted[table.truth == each] == each) for each in set(table.truth)])
    )


def _trials(
    recipe: Recipe, data: Path, runs: Path, seed: int, conditions: Sequence[str]
) -> Iterator[_Trial]:
    clips = read_clips(recipe, data)
    measured = protocol("unseen", recipe.corpora, clips)
    for fold in measured.folds:
        folder = run_folder(runs, fold, seed)
        facts = summary(folder)
        bundle = folder / BUNDLE
        if not bundle.is_dir():
            raise RunError(
                f"{folder}: its network is not there (`restore` lays out what it answered, not itself); "
                "remove that folder, and `undertone-train crossval` trains it again"
            )
        split = measured.split(fold, seed)
        for condition in dict.fromkeys(conditions):
            yield _Trial(
                bundle,
                fold,
                seed,
                measured.name,
                str(facts["revision"]),
                condition,
                split.test,
                split.train,
            )


def _try_out(trial: _Trial) -> Predictions:
    model = _model(trial.bundle)
    rows = np.stack([_answer(model, clip, trial) for clip in trial.clips])
    n = len(trial.clips)
    return Predictions(
        emotions=model.manifest.emotions,
        protocol=(trial.protocol,) * n,
        fold=(trial.fold,) * n,
        seed=np.full(n, trial.seed, dtype=np.int64),
        revision=(trial.revision,) * n,
        file=tuple(clip.name for clip in trial.clips),
        speaker=tuple(clip.speaker for clip in trial.clips),
        truth=truth(trial.clips, model.manifest.emotions),
        temperature=np.full(n, model.manifest.calibration.temperature),
        probabilities=rows,
    )


@lru_cache(maxsize=1)
def _model(bundle: Path) -> Classifier:
    """That of one trial and, in this process, of the next, which is most often of the same fold."""
    return load(bundle, threads=1)


def _answer(model: Classifier, clip: Clip, trial: _Trial) -> NDArray[np.float64]:
    emotions = model.manifest.emotions
    try:
        ranked = model.predict(*CONDITIONS[trial.condition](_scene(clip, trial))).probabilities
    except UnusableAudio:
        return np.full(len(emotions), np.nan)
    scores = {each.label: each.score for each in ranked}
    return np.array([scores[emotion] for emotion in emotions])


def _scene(clip: Clip, trial: _Trial) -> Scene:
    """The same noise, room and voices for a clip on every machine: they follow from its name."""
    seed = int.from_bytes(sha256(f"{clip.corpus}/{clip.name}".encode()).digest()[:8])
    samples, sr = _recorded(clip)
    voices: tuple[NDArray[np.float32], ...] = ()
    if trial.condition.startswith("babble"):
        chosen = np.random.default_rng(seed).choice(len(trial.voices), N_BABBLE)
        voices = tuple(_recorded(trial.voices[index], sr)[0] for index in chosen)
    return Scene(samples, sr, voices, seed)


def _recorded(clip: Clip, sr: int | None = None) -> tuple[NDArray[np.float32], int]:
    """A clip at a rate, or at its own."""
    found = audio.read(clip.path, sr or _USUAL_HZ)
    if sr is None and found.sample_rate != found.sr:
        found = audio.read(clip.path, found.sample_rate)
    return found.samples, found.sr
