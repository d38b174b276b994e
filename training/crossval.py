"""All folds of a recipe, and what they come to together."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from training import predictions
from training.evaluate import evaluate
from training.pool import default_jobs, do_all
from training.predictions import Predictions
from training.provenance import revision
from training.recipe import Recipe
from training.splits import EMOBOX, PROTOCOLS
from training.task import Member, Report, Run, is_finished, read_clips
from undertone.bundle import Metrics

PROTOCOL: Final = "ravdess/emobox-6fold"
PREDICTIONS: Final = "predictions.csv"
VALIDATION: Final = "validation.csv"
TEST: Final = "test.csv"
METRICS: Final = "metrics.json"


@dataclass(frozen=True, slots=True)
class Crossval:
    """A finished cross-validation."""

    folder: Path
    emotions: tuple[str, ...]
    metrics: Metrics
    test: Predictions
    validation: Predictions


def crossval(
    recipe: Recipe,
    data: Path,
    out: Path,
    *,
    folds: Sequence[int] | None = None,
    seeds: Sequence[int] = (0,),
    jobs: int | None = None,
    console: Console | None = None,
) -> Crossval:
    """Run what is not finished yet of the folds and seeds, and evaluate all of them together.

    Args:
        recipe: what to train.
        data: the folder that holds the corpora.
        out: runs go to ``out/<recipe>/fold-…-seed-…``.
        folds: of `EMOBOX`; all where left out.
        seeds: every fold is trained once with each.
        jobs: runs at a time; as many as there are cores where left out.
        console: where the bars go.

    Raises:
        UndertoneError: recordings are missing, or a run failed.
    """
    folds = sorted(folds or EMOBOX)
    folder = out / recipe.name
    code = revision()
    runs = [
        Run(recipe, seed, data, run_folder(folder, fold, seed), code, fold)
        for seed in seeds
        for fold in folds
    ]
    read_clips(recipe, data)
    jobs, console = jobs or default_jobs(), console or Console(stderr=True)
    unfinished = [run for run in runs if not is_finished(run)]
    do_all([member for run in unfinished for member in run.members], train_member, jobs, console)
    do_all(unfinished, assemble_run, jobs, console)
    result = collect(recipe, folder, folds, seeds)
    predictions.write(folder / PREDICTIONS, result.test)
    predictions.write(folder / VALIDATION, result.validation)
    (folder / METRICS).write_text(result.metrics.model_dump_json(indent=2) + "\n")
    return result


def collect(recipe: Recipe, folder: Path, folds: Sequence[int], seeds: Sequence[int]) -> Crossval:
    """The results of finished runs.

    Raises:
        RunError: a run is not finished.
    """
    runs = [run_folder(folder, fold, seed) for seed in seeds for fold in folds]
    test = predictions.concatenate(predictions.read(path / TEST) for path in runs)
    validation = predictions.concatenate(predictions.read(path / VALIDATION) for path in runs)
    metrics = evaluate(
        test,
        protocol=_protocol(folds),
        command=_command(recipe, folds, seeds),
        file=f"crossval/{PREDICTIONS}",
    )
    return Crossval(folder, recipe.emotions, metrics, test, validation)


def run_folder(folder: Path, fold: int, seed: int) -> Path:
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


def _protocol(folds: Sequence[int]) -> str:
    text = PROTOCOLS["emobox-6fold"]
    if len(folds) == len(EMOBOX):
        return text
    return f"{text}; here only fold {', '.join(str(fold) for fold in folds)}"


def _command(recipe: Recipe, folds: Sequence[int], seeds: Sequence[int]) -> str:
    words = ["undertone-train crossval", recipe.name]
    if len(folds) < len(EMOBOX):
        words += [f"--fold {fold}" for fold in folds]
    return " ".join([*words, *(f"--seed {seed}" for seed in seeds)])
