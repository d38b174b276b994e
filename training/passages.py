"""Passages of a card that not every model has: each is text, or nothing where there is nothing to say."""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Final

import numpy as np

from training import predictions
from training.abstain import COVERAGE, risk_coverage
from training.corpora import sex
from training.crossval import EVIDENCE, RECIPE, Crossval
from training.evaluate import uar_of
from training.figures import coverage_figure
from training.metrics import FEW_SPEAKERS, ece
from training.recipe import Recipe
from training.robustness import FOLDER, REPORT
from training.tables import interval, mean_and_sd
from training.trial import ALL
from undertone.bundle import Bundle, Metrics
from undertone.spec import Centre

_UNSOUND: Final = 0.05
"""How far the mean probability may stand from accuracy before a card warns of it."""

_HEARD: Final = {
    "variants": "stood in noise",
    "babble": "stood in babble",
    "room": "came from such rooms",
    "clipping": "were clipped",
    "telephone": "came by telephone",
}
"""What copies of clips went through in training, by the setting that says how many."""

_OWN: Final = Template("""\
## What it reaches where speakers stand on both sides

Accuracy **$accuracy** on a random fifth of all clips ($seeds), as this
field often reports. ${claim}It measures memory for voices, sentences and repetitions as much as hearing of
emotion; `$command` makes it.

""")

_UNSURE: Final = Template("""\
## When it is not sure

Of the $coverage of clips that it is surest of, $accuracy are heard rightly; of all, $of_all. An
answer whose likeliest emotion has a probability below **$threshold**, which that share of the
validation clips reached, carries the warning `low_confidence`; the label is still given. Of the clips of
test speakers, $kept reach it, and $of_kept of these are heard rightly. (Whoever is tested in one fold
validated another: these people had a part in that threshold, if never in the networks that hear them.)

![Accuracy against the share of clips that is answered](coverage.png)

""")

_APART: Final = Template("""\
The settings of the recipe were chosen on the validation speakers of folds $screened
([what was tried](experiments.csv)), who are tested in folds $chosen_on. $elsewhere
What no row of that log tries (how many networks are averaged, whether they are trained anew, how wide they
are, and what an earlier recipe had already) was settled by its cost, or when that recipe was made: it is not
said that these people had no part in that.

""")

_FIVE: Final = Template("""\
On other folds of the same actors ($protocol), the UAR is **$uar** (95 % interval $interval), the
accuracy $accuracy, macro-F1 $macro_f1$seeds: `$command`.$screened

""")

_VOICES: Final = Template("""\
## Whom it hears well

Of $n_speakers speakers (seed $seed), accuracy is lowest for $lowest and highest for $highest;
the median is $median.$sexes

""")

_CONDITIONS: Final = Template("""\
## What sound loses on its way

Each fold's model on its own test speakers, seed $seed: `$command`. What is refused
counts as wrong.$heard

| condition | UAR | cost | accuracy | ECE | refused |
|---|---:|---:|---:|---:|---:|
$rows

""")

_ELSEWHERE: Final = Template("""\
## What it reaches on recordings of others

The model that is shipped, on $protocol:

| figure | value |
|---|---|
| UAR | **$uar** |
| 95 % interval, bootstrap over the speakers ($n_speakers) | $interval |
$by_speaker| accuracy | $accuracy |
| macro-F1 ($averaged) | $macro_f1 |
| how sure it is: mean of the highest probability | $sure |
| ECE | $ece |

Best heard: $best; least: $worst. `$command` measures it. $warning

""")


def folds(evidence: Crossval) -> str:
    """What it reaches in each fold, and how far seeds differ there, where there are several."""
    first, *more = evidence.metrics.seeds
    rows = [["fold", f"UAR of its test speakers, seed {first}"], ["---", "---"]]
    if more:
        rows = [[*rows[0], "mean and SD over seeds"], [*rows[1], "---"]]
    for fold, uar in evidence.metrics.fold_uar.items():
        row = [fold, f"{uar:.3f}"]
        if more:
            table = evidence.test.of_fold(fold)
            row.append(mean_and_sd([uar_of(table.of_seed(seed)) for seed in (first, *more)]))
        rows.append(row)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def revisions(evidence: Crossval) -> str:
    """Which code trained what is tested, where it was not the same for all seeds."""
    table = evidence.test
    of_seed = {
        seed: tuple(dict.fromkeys(table.of_seed(seed).revision)) for seed in evidence.metrics.seeds
    }
    if len({revision for found in of_seed.values() for revision in found}) < 2:
        return ""
    told = ", ".join(f"seed {seed} by `{'` and `'.join(found)}`" for seed, found in of_seed.items())
    return f"\nThe networks were trained by more than one revision of the code: {told}."


def own(recipe: Recipe, evidence: Crossval | None) -> str:
    """What it reaches on a random split, where that was run."""
    if evidence is None:
        return ""
    metrics = evidence.metrics
    claim = "" if recipe.claim == "-" else f"The system that it follows says {recipe.claim}. "
    seeds = ", ".join(str(seed) for seed in metrics.seeds)
    one = len(metrics.seeds) == 1
    return _OWN.substitute(
        accuracy=mean_and_sd(metrics.accuracy_per_seed),
        seeds=f"seed {seeds}" if one else f"mean over seeds {seeds}, one split each",
        claim=claim,
        command=metrics.command,
    )


def unsure(bundle: Bundle, evidence: Crossval) -> str:
    """When it warns, with the figure beside it; nothing for a model of before it did."""
    threshold = bundle.manifest.abstention_threshold
    if threshold is None:
        return ""
    first = evidence.test.of_seed(evidence.metrics.seeds[0])
    sure = first.probabilities.max(axis=1) >= threshold
    right = first.probabilities.argmax(axis=1) == first.truth
    curve = risk_coverage(first.truth, first.probabilities)
    coverage_figure(curve, COVERAGE, bundle.path / "coverage.png")
    return _UNSURE.substitute(
        coverage=f"{COVERAGE:.0%}",
        accuracy=f"{curve.at(COVERAGE):.3f}",
        of_all=f"{evidence.metrics.accuracy:.3f}",
        threshold=f"{threshold:.3f}",
        kept=f"{sure.mean():.1%}",
        of_kept=f"{right[sure].mean():.3f}" if sure.any() else "none",
    )


def apart(recipe: Recipe, evidence: Crossval) -> str:
    """What it reaches on those who had no part in choosing its settings; nothing where nobody had."""
    if not recipe.screened:
        return ""
    asked, others = untouched(recipe, evidence)
    elsewhere = "No fold is without them."
    if others:
        seeds = evidence.metrics.seeds
        theirs = [evidence.test.of_seed(seed).of_folds(others) for seed in seeds]
        uar = mean_and_sd([uar_of(table) for table in theirs])
        error = mean_and_sd([ece(table.truth, table.probabilities) for table in theirs])
        elsewhere = (
            f"Over the other folds alone ({_listed(others)}),\non people who had no part in that choice, "
            f"the UAR is **{uar}** and the ECE {error}."
        )
    return _APART.substitute(
        screened=_listed(recipe.screened), chosen_on=_listed(asked), elsewhere=elsewhere
    )


def untouched(recipe: Recipe, evidence: Crossval) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The folds that test whoever validated when the recipe was chosen, and the other folds."""
    table = evidence.validation
    asked = {
        speaker
        for speaker, fold in zip(table.speaker, table.fold, strict=True)
        if fold in recipe.screened
    }
    touched = {
        fold
        for speaker, fold in zip(evidence.test.speaker, evidence.test.fold, strict=True)
        if speaker in asked
    }
    folds = evidence.protocol.folds
    return (
        tuple(fold for fold in folds if fold in touched),
        tuple(fold for fold in folds if fold not in touched),
    )


def five_folds(recipe: Recipe, evidence: Crossval | None) -> str:
    """What it reaches on the other folds of RAVDESS, where that was run."""
    if evidence is None:
        return ""
    metrics: Metrics = evidence.metrics
    return _FIVE.substitute(
        protocol=metrics.protocol,
        uar=f"{metrics.uar:.3f}",
        interval=interval(metrics),
        accuracy=f"{metrics.accuracy:.3f}",
        macro_f1=f"{metrics.macro_f1:.3f}",
        seeds=f"; over seeds the UAR is {mean_and_sd(metrics.uar_per_seed)}"
        if len(metrics.seeds) > 1
        else "",
        command=metrics.command,
        screened=" Whoever chose the settings is among them." if recipe.screened else "",
    )


def voices(evidence: Crossval) -> str:
    """How much people differ; nothing where there are too few to say."""
    first = evidence.test.of_seed(evidence.metrics.seeds[0])
    right = first.probabilities.argmax(axis=1) == first.truth
    speakers = np.array(first.speaker)
    accuracies = sorted((float(right[speakers == who].mean()), str(who)) for who in set(speakers))
    if len(accuracies) < FEW_SPEAKERS:
        return ""
    lowest, highest = accuracies[0][0], accuracies[-1][0]
    worst, best = (
        _people([who for accuracy, who in accuracies if accuracy == reached])
        for reached in (lowest, highest)
    )
    groups = {
        group: np.array([sex(who) == group for who in first.speaker]) for group in ("women", "men")
    }
    return _VOICES.substitute(
        n_speakers=len(accuracies),
        seed=evidence.metrics.seeds[0],
        lowest=f"{worst} ({lowest:.3f})",
        highest=f"{best} ({highest:.3f})",
        median=f"{statistics.median(accuracy for accuracy, _ in accuracies):.3f}",
        sexes="".join(
            f" Of the clips of {group}, {right[theirs].mean():.3f} are heard rightly."
            for group, theirs in groups.items()
            if theirs.any()
        ),
    )


def conditions(recipe: Recipe, folder: Path) -> str:
    """What worse conditions cost, where that was measured of the bundle in ``folder``."""
    report = folder / FOLDER / REPORT
    if not report.is_file():
        return ""
    found = json.loads(report.read_text())
    columns = ("uar", "cost", "accuracy", "ece")
    settings = recipe.augmentation
    # The first copy of a clip stands in no noise, and where all noise is babble, none is of another kind.
    without = {"variants"} if settings.variants < 2 or settings.babble == 1 else set()
    heard = [
        words for name, words in _HEARD.items() if getattr(settings, name) and name not in without
    ]
    return _CONDITIONS.substitute(
        seed=found["seed"],
        command=found["command"],
        heard=f" Copies of training clips {_listed(heard)}: it knows what that is like."
        if heard
        else "",
        rows="\n".join(
            f"| {loss['condition']} | "
            + " | ".join(f"{loss[name]:.3f}" for name in columns)
            + f" | {loss['refused']:.1%} |"
            for loss in found["losses"]
        ),
    )


def centred(bundle: Bundle) -> str:
    """That the model takes an offset away, where its networks learnt without."""
    steps = bundle.manifest.spec.preprocess
    learnt = json.loads((bundle.path / EVIDENCE["unseen"] / RECIPE).read_text())["spec"][
        "preprocess"
    ]
    if Centre() not in steps or {"kind": "centre"} in learnt:
        return ""
    return (
        "\nBefore that, an offset of the sound is taken away. Its networks were trained and measured "
        "without that step:\nof the clips that a fold's model never heard, fewer than one in 300 has another "
        "label for it\n(`tests/models/test_answers.py`)."
    )


def elsewhere(bundle: Bundle) -> str:
    """What it reaches on corpora that it learnt nothing from, where it was tried on any."""
    return "".join(
        _on(bundle, metrics)
        for name, metrics in bundle.manifest.metrics.items()
        if name.endswith(f"/{ALL}")
    )


def _on(bundle: Bundle, metrics: Metrics) -> str:
    table = predictions.read(bundle.path / metrics.predictions)
    sure = float(table.probabilities.max(axis=1).mean())
    by_recall = sorted(metrics.per_class_recall.items(), key=lambda each: each[1])
    (worst, least), (best, most) = by_recall[0], by_recall[-1]
    return _ELSEWHERE.substitute(
        protocol=metrics.protocol,
        uar=f"{metrics.uar:.3f}",
        n_speakers=metrics.n_speakers,
        interval=interval(metrics),
        by_speaker=_by_speaker(table) if metrics.uar_ci95 is None else "",
        accuracy=f"{metrics.accuracy:.3f}",
        averaged=_averaged(metrics),
        macro_f1=f"{metrics.macro_f1:.3f}",
        sure=f"{sure:.3f}",
        ece=f"{metrics.ece:.3f}",
        best=f"{best} ({most:.3f})",
        worst=f"{worst} ({least:.3f})",
        command=metrics.command,
        warning=_warning(sure - metrics.accuracy),
    )


def _by_speaker(table: predictions.Predictions) -> str:
    """A row for each of a few speakers."""
    speakers = np.array(table.speaker)
    return "".join(
        f"| UAR of `{who}` | {uar_of(table.where(speakers == who)):.3f} |\n"
        for who in sorted(set(table.speaker))
    )


def _averaged(metrics: Metrics) -> str:
    """The emotions that the mean F1 is of: one that was answered and never played counts as 0."""
    matrix = np.array(metrics.confusion)
    answered = int(((matrix.sum(axis=0) > 0) | (matrix.sum(axis=1) > 0)).sum())
    played = len(metrics.per_class_recall)
    if answered == played:
        return f"of {played} emotions"
    return f"of {answered} emotions, {answered - played} of them answered and never played"


def _warning(over: float) -> str:
    """What to think of probabilities that are so much higher, on the mean, than they are right."""
    if over > _UNSOUND:
        return (
            f"There it is surer than it should be, by {over:.3f}:\ncalibrate it on clips of your own "
            "before its probabilities decide anything."
        )
    if over < -_UNSOUND:
        return f"There it is right more often than it says, by {-over:.3f}."
    return "There, its probabilities are about as often right\nas they say."


def _people(names: Sequence[str]) -> str:
    return f"{len(names)} of them" if len(names) > 3 else _listed([f"`{name}`" for name in names])


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
