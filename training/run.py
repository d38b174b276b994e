"""One run: its members to one bundle, and that bundle's predictions of everybody who was held out."""

from typing import Final

import keras
import numpy as np
from numpy.typing import NDArray

from training import member, metrics, predictions
from training.calibrate import fit_temperature, softmax
from training.crossval import PROTOCOL, TEST, VALIDATION
from training.dataset import Dataset, evaluation_set
from training.export import write_bundle
from training.fit import logits, use_threads
from training.network import average
from training.predictions import Predictions
from training.task import Progress, Report, Run, code_of, finish, split_of, summary
from undertone.bundle import Calibration
from undertone.engine import Engine

BUNDLE: Final = "bundle"


def assemble(run: Run, report: Report = lambda _: None) -> None:
    """Average the members, calibrate, export, and predict both sides that were held out.

    The temperature is fitted on the validation speakers. The predictions are those of the exported
    bundle, not of the networks that it was made from.

    Raises:
        UndertoneError: a member is missing, or recordings, recipe or export are at fault.
    """
    use_threads(1)
    report(Progress(run.name, 0, 1, "calibrating and exporting"))
    recipe, split, code = run.recipe, split_of(run), code_of(run)
    validation, test = (evaluation_set(side, recipe) for side in (split.validation, split.test))
    model = average([keras.saving.load_model(m.folder / member.MODEL) for m in run.members])
    raw = logits(model, validation.plain)
    temperature = fit_temperature(raw, validation.truth)
    calibrated = softmax(raw, temperature)
    bundle = write_bundle(
        run.folder / BUNDLE,
        model,
        recipe,
        name=f"{recipe.model}-fold-{run.fold}",
        description=f"Fold {run.fold} of the cross-validation of {recipe.model}: for checking only.",
        calibration=Calibration(
            temperature=temperature,
            ece_before=metrics.ece(validation.truth, softmax(raw)),
            ece_after=metrics.ece(validation.truth, calibrated),
            fitted_on=f"the validation actors of fold {run.fold}",
        ),
        revision=code,
    )
    engine = Engine(bundle)
    for name, held_out in ((VALIDATION, validation), (TEST, test)):
        probabilities = engine.infer(held_out.plain)
        predictions.write(
            run.folder / name, _table(run, code, held_out, probabilities, temperature)
        )
    matrix = metrics.confusion(validation.truth, calibrated.argmax(axis=1), len(recipe.emotions))
    members = [summary(each.folder) for each in run.members]
    finish(
        run,
        {
            "fold": run.fold,
            "revision": code,
            "validation_uar": metrics.uar(matrix),
            "temperature": temperature,
            "members": [
                {name: value for name, value in each.items() if name != "recipe"}
                for each in members
            ],
        },
    )
    report(Progress(run.name, 1, 1, f"validation UAR {metrics.uar(matrix):.3f}"))


def _table(
    run: Run, code: str, held_out: Dataset, probabilities: NDArray[np.float32], temperature: float
) -> Predictions:
    n = len(held_out.clips)
    return Predictions(
        emotions=run.recipe.emotions,
        protocol=(PROTOCOL,) * n,
        fold=(str(run.fold),) * n,
        seed=np.full(n, run.seed, dtype=np.int64),
        revision=(code,) * n,
        file=tuple(clip.name for clip in held_out.clips),
        speaker=tuple(clip.speaker for clip in held_out.clips),
        truth=held_out.truth,
        temperature=np.full(n, temperature),
        probabilities=probabilities.astype(np.float64),
    )
