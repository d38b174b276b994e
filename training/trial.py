"""Any bundle on any corpus: heard as the service hears it, reported as a run is."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from training import predictions
from training.clip import Clip
from training.dataset import truth
from training.errors import CorpusError
from training.evaluate import evaluate
from training.predictions import Predictions
from training.report import write_report
from undertone.bundle import Metrics
from undertone.classifier import Classifier

PREDICTIONS = "predictions.csv"


def try_out(
    model: Classifier, corpus: str, clips: Sequence[Clip], folder: Path, console: Console
) -> Metrics:
    """Hear every clip whose emotion the model knows, and write the report into ``folder``.

    It cannot know whether the model was trained on these very clips: the report says which corpora it
    learnt from.

    Args:
        model: loaded.
        corpus: the name of what the clips are from.
        clips: of any emotions.
        folder: made if it is not there.
        console: where the bar goes.

    Raises:
        CorpusError: the model knows none of their emotions.
        AudioError: a clip cannot be heard.
    """
    manifest = model.manifest
    known = [clip for clip in clips if clip.emotion in manifest.emotions]
    if not known:
        raise CorpusError(
            f"{manifest.name} knows {', '.join(manifest.emotions)}; {corpus} has none of them"
        )
    rows = []
    for clip in track(known, f"hearing {corpus}", console=console):
        scores = {each.label: each.score for each in model.predict(clip.path).probabilities}
        rows.append([scores[emotion] for emotion in manifest.emotions])
    n = len(known)
    table = Predictions(
        emotions=manifest.emotions,
        protocol=(f"{corpus}/all",) * n,
        fold=("all",) * n,
        seed=np.zeros(n, dtype=np.int64),
        revision=(manifest.revision,) * n,
        file=tuple(clip.name for clip in known),
        speaker=tuple(clip.speaker for clip in known),
        truth=truth(known, manifest.emotions),
        temperature=np.full(n, manifest.calibration.temperature),
        probabilities=np.array(rows),
    )
    folder.mkdir(parents=True, exist_ok=True)
    predictions.write(folder / PREDICTIONS, table)
    metrics = evaluate(
        table,
        protocol=_protocol(model, corpus, len(clips) - n),
        command=f"undertone-train evaluate {manifest.name} {corpus}",
        file=PREDICTIONS,
    )
    write_report(folder, f"{manifest.name} on {corpus}", table, metrics)
    return metrics


def _protocol(model: Classifier, corpus: str, left_out: int) -> str:
    learnt = ", ".join(each.name for each in model.manifest.corpora)
    text = f"all of {corpus}, heard by a model that was trained on {learnt}"
    if left_out:
        text += f"; {left_out} clips of emotions that it does not know are left out"
    if corpus in {each.name.lower() for each in model.manifest.corpora}:
        text += "; it learnt from these very clips, so this is no test"
    return text
