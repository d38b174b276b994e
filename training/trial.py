"""Any bundle on any corpus: heard as the service hears it, reported as a run is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console
from rich.progress import track

from training import licences, predictions
from training.clip import Clip
from training.corpora import SAME_PEOPLE
from training.dataset import truth
from training.errors import CorpusError, unreadable
from training.evaluate import evaluate
from training.predictions import Predictions
from training.report import write_report
from undertone.bundle import Manifest, Metrics
from undertone.classifier import Classifier
from undertone.errors import AudioError, UnusableAudio

PREDICTIONS: Final = "predictions.csv"

ALL: Final = "all"
"""What of a corpus is heard: the protocol is named ``<corpus>/all``."""


def try_out(
    model: Classifier, corpus: str, clips: Sequence[Clip], folder: Path, console: Console
) -> Metrics:
    """Hear a corpus as `hear` does, and write the report into ``folder``, made if it is not there."""
    table, metrics = hear(model, corpus, clips, PREDICTIONS, console)
    folder.mkdir(parents=True, exist_ok=True)
    predictions.write(folder / PREDICTIONS, table)
    write_report(folder, f"{model.manifest.name} on {corpus}", table, metrics)
    return metrics


def hear(
    model: Classifier, corpus: str, clips: Sequence[Clip], file: str, console: Console
) -> tuple[Predictions, Metrics]:
    """Hear every clip whose emotion the model knows.

    What the service would refuse to answer (silence, say) is left out, and counted.

    It cannot know whether the model was trained on these very clips: the figures say which corpora it
    learnt from.

    Args:
        model: loaded.
        corpus: the name of what the clips are from.
        clips: of any emotions.
        file: where the predictions will be, for the figures to say.
        console: where the bar goes.

    Raises:
        CorpusError: the model knows none of their emotions, hears nobody speak, or a clip cannot be read.
    """
    manifest = model.manifest
    known = [clip for clip in clips if clip.emotion in manifest.emotions]
    if not known:
        raise CorpusError(
            f"{manifest.name} knows {', '.join(manifest.emotions)}; {corpus} has none of them"
        )
    heard: list[tuple[Clip, list[float]]] = []
    for clip in track(known, f"hearing {corpus}", console=console):
        try:
            ranked = model.predict(clip.path).probabilities
        except UnusableAudio:
            continue
        except AudioError as error:
            raise unreadable(clip.path, error) from error
        scores = {each.label: each.score for each in ranked}
        heard.append((clip, [scores[emotion] for emotion in manifest.emotions]))
    if not heard:
        raise CorpusError(f"nobody speaks in {corpus}, as far as {manifest.name} can hear")
    answered, rows = zip(*heard, strict=True)
    n = len(answered)
    table = Predictions(
        emotions=manifest.emotions,
        protocol=(f"{corpus}/{ALL}",) * n,
        fold=(ALL,) * n,
        seed=np.zeros(n, dtype=np.int64),
        revision=(manifest.revision,) * n,
        file=tuple(clip.name for clip in answered),
        speaker=tuple(clip.speaker for clip in answered),
        truth=truth(answered, manifest.emotions),
        temperature=np.full(n, manifest.calibration.temperature),
        probabilities=np.array(rows),
    )
    metrics = evaluate(
        table,
        protocol=_protocol(model, corpus, len(clips) - len(known), len(known) - n),
        command=f"undertone-train evaluate {manifest.name} {corpus}",
        file=file,
    )
    return table, metrics


def learnt_from(model: Manifest, corpus: str) -> bool:
    """Whether the model was trained on clips of that corpus."""
    return licences.corpus(corpus).name in {each.name for each in model.corpora}


def knows_speakers_of(model: Manifest, corpus: str) -> bool:
    """Whether the model was trained on clips of the people who speak, or sing, in that corpus."""
    people = next((each for each in SAME_PEOPLE if corpus in each), frozenset({corpus}))
    return any(learnt_from(model, each) for each in people)


def _protocol(model: Classifier, corpus: str, unknown: int, refused: int) -> str:
    learnt = ", ".join(each.name for each in model.manifest.corpora)
    text = f"all of {corpus}, heard by a model that was trained on {learnt}"
    if unknown:
        text += f"; {unknown} clips of emotions that it does not know are left out"
    if refused:
        text += f"; {refused} clips that the service would not answer are left out"
    if learnt_from(model.manifest, corpus):
        text += "; it learnt from these very clips, so this is no test"
    elif knows_speakers_of(model.manifest, corpus):
        text += "; it learnt from the same people, so this is no test of unheard voices"
    return text
