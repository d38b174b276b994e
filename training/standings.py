"""What every model reaches, on one page: made from manifests and reports, and from nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Final

from training import licences
from training.crossval import EVIDENCE, METRICS, TRAINED_ANEW
from training.errors import RunError
from training.protocols import FIVE_FOLDS
from training.tables import mean_and_sd
from training.trial import ALL
from undertone.bundle import Manifest, Metrics, find, open_bundle

_PAGE: Final = Template("""\
# Results

What every model in `models/` reaches, measured twice: the way this field often does, and on people that it
had never heard. What a system says of itself stands beside it, where the model was written after one.

$table

Mean ± sample SD over $seeds; UAR is the mean recall of the emotions, chance is 1 in their number.

**Its own way** is a random fifth of all clips, emotions in equal shares. **Unseen speakers** are the six
EmoBox folds by actor for RAVDESS (1440 clips, each tested once), and for TESS one speaker against the
other, both ways (2800 clips). Where both corpora train, TESS stands on the training side only.$anew

The two columns differ because of what stands on both sides of a random split. RAVDESS has two sentences,
spoken twice by each actor in each emotion: for most test clips, training has heard the same person say
the same words in the same emotion. TESS has two speakers and a carrier sentence: what is left to
generalise over is one word of 200. The first column measures memory for those voices; the second is what
to expect of a voice that is new.
$five$elsewhere$known
`undertone-train results` writes this page from the manifests in `models/`. Each manifest names the
commands behind its figures, `undertone-train crossval RECIPE` and `--protocol random`; the predictions,
one row a clip and a seed, lie beside it, and a test computes every figure again.

$commands
""")

_FIVE: Final = Template("""
## Other folds

RAVDESS in the five folds by actor of Luna-Jiménez et al. 2021, in which others report theirs: four or five
actors are tested, those of the next fold validate, the others train.

$table
""")

_ELSEWHERE: Final = Template("""
## Recordings of others

Models as they are shipped, on corpora from which they learnt nothing: other speakers, another studio.

$table
""")

_KNOWN: Final = Template("""
## Recipes for voices that are known

A random split asks for something else than people who are new do. These recipes were made for it, from
`ravdess-wide-blstm`, by clips of the split that it does not test ([what was tried](experiments.md)). What
they have of that recipe was chosen on all clips of eight actors, some of whose it tests. No model of theirs
is here, since nobody's users are the people of a corpus.

$table

`models/reports/RECIPE` holds what `undertone-train crossval RECIPE --protocol random` left of them.
""")

REPORTS: Final = "reports"
"""The folder beside the models in which what recipes without a model reached lies."""

_FIVE_HEADINGS: Final = ("model", "accuracy", "UAR")

_KNOWN_HEADINGS: Final = ("recipe", "accuracy on a random fifth", "UAR", "ECE")

_ELSEWHERE_HEADINGS: Final = ("model", "heard", "clips", "accuracy", "UAR", "ECE")

_HEADINGS: Final = (
    "model",
    "trained on",
    "it says",
    "its own way: accuracy",
    "unseen speakers: accuracy",
    "unseen speakers: UAR",
    "parameters",
)


def page(models: Path) -> str:
    """The page for the bundles in ``models``.

    Raises:
        RunError: there is none.
        BundleError: one is not as it was exported.
    """
    manifests = [open_bundle(path).manifest for path in find(models)]
    if not manifests:
        raise RunError(f"{models}: no model there; `undertone-train fit` makes one")
    lines = [line for manifest in manifests for line in _lines(manifest)]
    counts = [len(metrics.seeds) for manifest in manifests for metrics in manifest.metrics.values()]
    return _PAGE.substitute(
        table=_table(_HEADINGS, lines),
        anew=_anew(manifests),
        five=_five(manifests),
        elsewhere=_elsewhere(manifests),
        known=_known(reports(models)),
        seeds=_seeds(min(counts), max(counts)),
        commands="\n".join(
            f"- {manifest.name}: "
            + "; ".join(f"`{metrics.command}`" for metrics in manifest.metrics.values())
            for manifest in manifests
        ),
    )


def reports(models: Path) -> dict[str, Metrics]:
    """What recipes without a model reached on a random split, by their names."""
    return {
        path.parents[1].name: Metrics.model_validate_json(path.read_text())
        for path in sorted((models / REPORTS).glob(f"*/{EVIDENCE['random']}/{METRICS}"))
    }


def _known(found: Mapping[str, Metrics]) -> str:
    """Recipes for a random split; nothing where there is none."""
    lines = [
        _row(
            (
                f"`{name}`",
                _accuracy(metrics),
                f"**{mean_and_sd(metrics.uar_per_seed)}**",
                f"{metrics.ece:.3f}",
            )
        )
        for name, metrics in found.items()
    ]
    return _KNOWN.substitute(table=_table(_KNOWN_HEADINGS, lines)) if lines else ""


def _anew(manifests: Sequence[Manifest]) -> str:
    """Which models had more people to learn from than the others, before they were tested."""
    names = [
        f"`{manifest.name}`"
        for manifest in manifests
        if any(TRAINED_ANEW in metrics.protocol for metrics in manifest.metrics.values())
    ]
    if not names:
        return ""
    listed = ", ".join(names)
    return f"\nValidation clips, too, trained what is tested of {listed}: of RAVDESS 20 actors, not 16."


def _five(manifests: Sequence[Manifest]) -> str:
    """What models reach in five other folds; nothing where none was measured so."""
    lines = [
        _row((f"`{manifest.name}`", _accuracy(metrics), f"**{mean_and_sd(metrics.uar_per_seed)}**"))
        for manifest in manifests
        for name, metrics in manifest.metrics.items()
        if name.endswith(FIVE_FOLDS)
    ]
    return _FIVE.substitute(table=_table(_FIVE_HEADINGS, lines)) if lines else ""


def _elsewhere(manifests: Sequence[Manifest]) -> str:
    """What models reach on other corpora; nothing where none was tried."""
    lines = [
        _row(
            (
                f"`{manifest.name}`",
                licences.corpus(name.removesuffix(f"/{ALL}")).name,
                str(metrics.n_clips),
                f"{metrics.accuracy:.3f}",
                f"**{metrics.uar:.3f}**",
                f"{metrics.ece:.3f}",
            )
        )
        for manifest in manifests
        for name, metrics in manifest.metrics.items()
        if name.endswith(f"/{ALL}")
    ]
    if not lines:
        return ""
    return _ELSEWHERE.substitute(table=_table(_ELSEWHERE_HEADINGS, lines))


def _table(headings: Sequence[str], lines: Sequence[str]) -> str:
    return "\n".join([_row(headings), "|---" * len(headings) + "|", *lines])


def _seeds(fewest: int, most: int) -> str:
    """How many there were."""
    if fewest == most:
        return "one seed" if most == 1 else f"{most} seeds"
    return f"{fewest} to {most} seeds (no SD: one)" if fewest == 1 else f"{fewest} to {most} seeds"


def _lines(manifest: Manifest) -> Iterator[str]:
    """A row for each corpus that the recipe was measured on."""
    measured = [name.split("/") for name in manifest.metrics]
    for corpus in sorted({name for name, how in measured if how != ALL}):
        own, unseen = None, None
        for name, metrics in manifest.metrics.items():
            if name == f"{corpus}/random":
                own = metrics
            elif name.startswith(f"{corpus}/") and not name.endswith((FIVE_FOLDS, f"/{ALL}")):
                unseen = metrics
        cells = (
            f"`{manifest.name}`",
            " + ".join(each.name for each in manifest.corpora),
            manifest.claim,
            _accuracy(own),
            _accuracy(unseen),
            "not measured" if unseen is None else f"**{mean_and_sd(unseen.uar_per_seed)}**",
            f"{manifest.parameters:,}".replace(",", " "),
        )
        yield _row(cells)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _accuracy(metrics: Metrics | None) -> str:
    return "not measured" if metrics is None else mean_and_sd(metrics.accuracy_per_seed)
