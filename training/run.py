"""One run: its members to one bundle, and that bundle's predictions of everybody who was held out."""

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from training import history, member, metrics, predictions
from training.calibrate import HEARD, fit_temperature, softmax
from training.crossval import BUNDLE, TEST, VALIDATION, command, described
from training.dataset import Dataset, evaluation_set
from training.evaluate import evaluate
from training.export import write_bundle
from training.fit import logits, use_threads
from training.network import average
from training.predictions import Predictions
from training.report import write_report
from training.task import Member, Progress, Report, Run, code_of, facts_of, finish, protocol_of
from undertone.bundle import Calibration
from undertone.saved_model import SavedModelEngine


def assemble(run: Run, report: Report = lambda _: None) -> None:
    """Average the members, calibrate, export, predict both sides that were held out, and report.

    The temperature is fitted on the validation clips (see `fit_temperature`). The predictions of test
    clips are those of the exported bundle, not of the networks that it was made from.

    Raises:
        UndertoneError: a member is missing, or recordings, recipe or export are at fault.
    """
    assert run.fold is not None
    use_threads(1)
    report(Progress(run.name, 0, 1, "calibrating and exporting"))
    recipe, protocol, code = run.recipe, protocol_of(run), code_of(run)
    split = protocol.split(run.fold, run.seed)
    validation, test = (
        evaluation_set(side, recipe, run.features) for side in (split.validation, split.test)
    )
    raw = logits(_average(run.members), validation.plain)
    model = _average(run.tested)
    model.save(run.folder / member.MODEL)
    heard = split.validates_on_heard
    temperature = fit_temperature(raw, validation.truth, heard=heard)
    calibrated = softmax(raw, temperature)
    bundle = write_bundle(
        run.folder / BUNDLE,
        model,
        recipe,
        name=f"{recipe.model}-fold-{run.fold}".lower(),
        description=f"Fold {run.fold} of {protocol.name} for {recipe.model}: for checking only.",
        calibration=Calibration(
            temperature=temperature,
            ece_before=metrics.ece(validation.truth, softmax(raw)),
            ece_after=metrics.ece(validation.truth, calibrated),
            fitted_on=f"the validation clips of fold {run.fold}{HEARD if heard else ''}",
        ),
        revision=code,
    )

    def predicted(held_out: Dataset, probabilities: NDArray[np.floating]) -> Predictions:
        return _table(run, protocol.name, code, held_out, probabilities, temperature)

    table = predicted(test, SavedModelEngine(bundle).infer(test.plain))
    predictions.write(run.folder / VALIDATION, predicted(validation, calibrated))
    predictions.write(run.folder / TEST, table)
    write_report(
        run.folder,
        f"{recipe.name}, {protocol.name}, fold {run.fold}, seed {run.seed}",
        table,
        evaluate(
            table,
            protocol=f"{described(recipe, protocol)}; this is fold {run.fold}",
            command=command(recipe, run.kind, [run.fold], [run.seed], run.overrides),
            file=TEST,
        ),
        recipe=recipe,
        histories=[h for m in run.members for h in history.read(m.folder / member.HISTORY)],
    )
    matrix = metrics.confusion(validation.truth, calibrated.argmax(axis=1), len(recipe.emotions))
    finish(
        run,
        {
            "protocol": protocol.name,
            "fold": run.fold,
            "revision": code,
            "validation_uar": metrics.uar(matrix),
            "temperature": temperature,
            "members": [facts_of(each.folder) for each in run.members],
        },
    )
    report(Progress(run.name, 1, 1, f"validation UAR {metrics.uar(matrix):.3f}"))


def _average(networks: Sequence[Member]) -> keras.Model:
    return average([keras.saving.load_model(each.folder / member.MODEL) for each in networks])


def _table(
    run: Run,
    protocol: str,
    code: str,
    held_out: Dataset,
    probabilities: NDArray[np.floating],
    temperature: float,
) -> Predictions:
    n = len(held_out.clips)
    return Predictions(
        emotions=run.recipe.emotions,
        protocol=(protocol,) * n,
        fold=(str(run.fold),) * n,
        seed=np.full(n, run.seed, dtype=np.int64),
        revision=(code,) * n,
        file=tuple(clip.name for clip in held_out.clips),
        speaker=tuple(clip.speaker for clip in held_out.clips),
        truth=held_out.truth,
        temperature=np.full(n, temperature),
        probabilities=probabilities.astype(np.float64),
    )
