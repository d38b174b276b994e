"""The card beside a model: what it is, what it reaches and on whom, what it must not be used for."""

from collections.abc import Mapping
from string import Template
from typing import Final

from training import passages
from training.crossval import Crossval
from training.licences import CORPORA
from training.metrics import ece_by_chance
from training.protocols import Reported
from training.recipe import Recipe
from training.report import draw
from training.tables import interval
from undertone.bundle import CARD, Bundle, Calibration, Metrics

_CARD: Final = Template("""\
# $name $version

$description

Give it a recording of somebody speaking; it gives a probability for each of $emotions. It was
trained from scratch$acted, has $parameters parameters, and hears $sr Hz mono.

## What it reaches on people it never heard

$protocol.

| figure | value |
|---|---|
| UAR (chance is $chance) | **$uar** |
| 95 % interval, bootstrap over the $n_speakers speakers | $interval |
| accuracy | $accuracy |
| macro-F1 | $macro_f1 |
| ECE before and after temperature scaling, 15 bins | $ece_before, $ece |
| ECE that chance leaves a model which is right just as often as it says; 95 % | $by_chance |
$seed_rows
`$command` makes these figures again, within what seeds and processors change. Every one of them is
computed from `$predictions`, one row a clip$again. $chosen$revisions

![Recall of each emotion](recall.png)
![Confusion matrix](confusion_matrix.png)
![Reliability diagram](reliability.png)

$folds

$apart$five$voices$unsure$own$conditions$elsewhere## How it was made

`undertone-train fit $recipe`: the recipe's network, trained on all speakers for $epochs epochs, $schedule
(seed $seed). The weights that are shipped
have therefore no test set of their own; the figures above are those of the recipe, from models that
never heard the people they were tested on. The temperature, $temperature, was fitted on the $fitted_on:
it takes the ECE there from $validation_before to $validation_after. It is inside the graph.

Revision `$revision`; $libraries. `crossval/` holds the predictions, the recipe as it was, each run's
summary, and the model of fold $fold$checked.

## Data

$corpora

$limits
Calibrate and measure on your own recordings before you rely on a number.$levelled

## Use

For research, for games and art, for tools in which a person sees the answer, may disagree, and gave
consent. It hears how speech sounds, not what anybody feels.

**Not for** decisions about people: hiring, work, education, credit, insurance, policing, border control,
diagnosis or treatment. In the European Union, Regulation (EU) 2024/1689 (the AI Act), Article 5(1)(f),
**forbids** systems that infer the emotions of people at work and in education, but for medical or safety
reasons; elsewhere emotion recognition counts as high-risk (Annex III) and people must be told (Article 50).

## Licence

$licence. The code is under Apache-2.0; weights trained on these recordings follow the recordings'
$licences
""")

_PLAYED: Final = Template("""\
Actors in a studio, North American English, $sentences, played emotions. People ${worse}with another
accent or language, children, and people who do not act will be heard less well, and the probabilities
will be less honest than the figures above: it knows few voices and few words, an emotion that is played
sounds unlike one that is had, and pitch, loudness and pace do not say the same in every language.""")

_OWN: Final = Template("""\
Who speaks in recordings of your own, in what language and place, and how the emotions came about, only you
can say: say it here. People ${worse}who speak unlike those will be heard less well, and the
probabilities will be less honest than the figures above.""")

_NON_COMMERCIAL: Final = """\
non-commercial licences. To use Undertone commercially, train it on data whose licence allows that."""


_SENTENCES: Final = {
    "RAVDESS": "two sentences",
    "RAVDESS song": "two sentences",
    "TESS": "200 words in one carrier sentence",
}


def write_card(
    bundle: Bundle,
    recipe: Recipe,
    measured: Mapping[Reported, Crossval],
    *,
    epochs: int,
    seed: int,
) -> None:
    """Write the card of ``bundle`` and its three figures, from what was measured alone.

    Args:
        bundle: whose card.
        recipe: that made it.
        measured: under each protocol that was run, ``unseen`` among them.
        epochs: that the shipped network was trained for.
        seed: of the shipped network.
    """
    manifest = bundle.manifest
    evidence = measured["unseen"]
    metrics = evidence.metrics
    folder = bundle.path
    draw(folder, evidence.test, metrics)
    calibration = manifest.calibration
    published = all(corpus in CORPORA.values() for corpus in manifest.corpora)
    text = _CARD.substitute(
        name=manifest.name,
        version=manifest.version,
        description=manifest.description,
        emotions=", ".join(manifest.emotions),
        parameters=f"{manifest.parameters:,}".replace(",", " "),
        sr=manifest.spec.sr,
        protocol=metrics.protocol,
        chance=f"{1 / len(manifest.emotions):.3f}",
        uar=f"{metrics.uar:.3f}",
        interval=interval(metrics),
        accuracy=f"{metrics.accuracy:.3f}",
        macro_f1=f"{metrics.macro_f1:.3f}",
        ece_before=f"{metrics.ece_before:.3f}",
        ece=f"{metrics.ece:.3f}",
        by_chance=_by_chance(evidence),
        n_speakers=metrics.n_speakers,
        seed_rows=_seed_rows(metrics),
        command=metrics.command,
        predictions=metrics.predictions,
        folds=passages.folds(evidence),
        recipe=manifest.recipe,
        epochs=epochs,
        seed=seed,
        temperature=f"{calibration.temperature:.3f}",
        fitted_on=_fitted_on(calibration, metrics),
        validation_before=f"{calibration.ece_before:.3f}",
        validation_after=f"{calibration.ece_after:.3f}",
        revision=manifest.revision,
        libraries=", ".join(f"{name} {version}" for name, version in manifest.libraries.items()),
        corpora="\n".join(
            f"- {corpus.name}, {corpus.licence}: {corpus.citation}"
            + (f", <{corpus.url}>" if corpus.url else "")
            for corpus in manifest.corpora
        ),
        licence=manifest.licence,
        apart=passages.apart(recipe, evidence),
        five=passages.five_folds(recipe, measured.get("unseen-5")),
        voices=passages.voices(evidence),
        unsure=passages.unsure(bundle, evidence),
        own=passages.own(recipe, measured.get("random")),
        conditions=passages.conditions(recipe, folder),
        elsewhere=passages.elsewhere(bundle),
        fold=evidence.protocol.folds[0],
        acted=" on acted speech" if published else "",
        again=", and a test computes them again" if published else "",
        checked=", with which a test checks that the service gives what training saw"
        if published
        else "",
        limits=(_PLAYED if published else _OWN).substitute(
            sentences=" and ".join(
                dict.fromkeys(_SENTENCES[each.name] for each in manifest.corpora if published)
            ),
            worse=_worse(recipe),
        ),
        licences=_NON_COMMERCIAL if published else "licences.",
        revisions=passages.revisions(evidence),
        levelled=_levelled(recipe) + passages.centred(bundle),
        chosen=_chosen(recipe),
        schedule=(
            "as in cross-validation"
            if recipe.schedule.keep == "last"
            else "the\nmedian of those that validation chose in cross-validation"
        ),
    )
    (folder / CARD).write_text(text)


def _by_chance(evidence: Crossval) -> str:
    """What an ECE would be if every probability were true."""
    first = evidence.test.of_seed(evidence.metrics.seeds[0])
    mean, low, high = ece_by_chance(first.probabilities)
    return f"{mean:.3f}; {low:.3f} to {high:.3f}"


def _chosen(recipe: Recipe) -> str:
    """What validation clips were asked, and what came after."""
    if recipe.schedule.keep == "last":
        text = (
            "Every network was trained\nfor the whole of its schedule; the temperature of each run was "
            "fitted on its validation clips, never on its\ntest speakers."
        )
    else:
        text = (
            "The epoch of each network\nand the temperature of each run were chosen on its validation "
            "clips, never on its test speakers."
        )
    if recipe.retrain:
        text += (
            "\nThen its networks were trained anew with those clips, too: they are what was tested, with the "
            "temperature of\nthe ones before them."
        )
    return text


def _worse(recipe: Recipe) -> str:
    """Where nobody stood whose clips it learnt from."""
    heard = recipe.augmentation
    places = [
        place
        for place, known in (
            ("on a telephone", heard.telephone),
            ("in a noisy room", heard.room and heard.babble),
        )
        if not known
    ]
    return "".join(f"{place}, " for place in places)


def _levelled(recipe: Recipe) -> str:
    """What the model is kept from hearing."""
    kinds = {step.kind for step in recipe.spec.preprocess}
    if not {"trim", "level"} <= kinds:
        return ""
    return (
        " Silence at both ends is cut, and loudness is levelled, so that neither says anything to "
        "the model."
    )


def _fitted_on(calibration: Calibration, metrics: Metrics) -> str:
    """Whose validation clips the temperature came of."""
    if not calibration.seeds or calibration.seeds == metrics.seeds:
        return calibration.fitted_on
    seeds = ", ".join(map(str, calibration.seeds))
    return f"{calibration.fitted_on} (those of seed {seeds}; the others were run later)"


def _seed_rows(metrics: Metrics) -> str:
    """What other seeds came to; nothing for one seed."""
    if metrics.uar_sd is None or metrics.fold_uar_sd is None:
        return ""
    values = ", ".join(f"{value:.3f}" for value in metrics.uar_per_seed)
    mean = sum(metrics.uar_per_seed) / len(metrics.uar_per_seed)
    return (
        f"| UAR with seeds {', '.join(str(seed) for seed in metrics.seeds)} | {values} |\n"
        f"| their mean and SD | {mean:.3f} ± {metrics.uar_sd:.3f} |\n"
        f"| SD over seeds of one fold's UAR | {metrics.fold_uar_sd:.3f} |\n"
    )
