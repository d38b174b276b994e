"""Commands for what was learnt: looking at it, handing it on, writing it down."""

from pathlib import Path
from typing import Annotated

import typer

from training.cli.common import (
    DATA,
    MODELS,
    RUNS,
    Data,
    Jobs,
    Models,
    Out,
    Overrides,
    ProtocolOption,
    RecipeName,
    err,
    words_for_errors,
)
from training.cli.common import out as screen
from training.task import Format


def evaluate(
    model: Annotated[str, typer.Argument(help="A bundle's folder, or its name in --models.")],
    corpus: Annotated[
        str, typer.Argument(metavar="CORPUS", help="ravdess, tess, or a folder in --data.")
    ],
    data: Data = DATA,
    models: Models = MODELS,
    report: Annotated[
        Path | None, typer.Option(help="Where the report goes. Default: runs/evaluate/….")
    ] = None,
) -> None:
    """Hear all of CORPUS with MODEL, as the service would, and write a report.

    Clips of emotions that the model does not know are left out, and counted. The report says which
    corpora the model learnt from: on those, it is no test.

    Examples:
        undertone-train evaluate undertone-ravdess tess --data data
    """
    from training import corpora, trial
    from training.report import PAGE
    from training.tables import metrics_table
    from undertone.classifier import load

    with words_for_errors():
        bundle = Path(model) if Path(model).is_dir() else models / model
        clips = corpora.read(corpus, data)
        classifier = load(bundle)
        name = classifier.manifest.name
        folder = report or RUNS / "evaluate" / f"{name}-on-{corpus}"
        metrics = trial.try_out(classifier, corpus, clips, folder, err)
        screen.print(metrics_table(metrics, classifier.manifest.emotions))
        screen.print(f"[dim]{folder / PAGE}[/dim]")


def features(
    recipe: RecipeName,
    to: Annotated[Path, typer.Option("--out", help="A file ending in .npz or .json.")],
    data: Data = DATA,
    protocol: ProtocolOption = "unseen",
    fold: Annotated[str | None, typer.Option(help="Of the protocol. Default: the first.")] = None,
    seed: Annotated[int, typer.Option(help="Of a random split.")] = 0,
    cache: Annotated[
        Path, typer.Option(help="Where features are kept; a second run reads them from there.")
    ] = RUNS / "features",
    overrides: Overrides = None,
    jobs: Jobs = None,
) -> None:
    """Extract what RECIPE hears, with labels, split into train, validation and test.

    Arrays are named train_features, float32[clips, frames, width], train_labels (indices of emotions),
    train_files, train_speakers, and so on for the other sides; emotions names the labels.

    Examples:
        undertone-train features ravdess-lstm --data data --out features.npz

        undertone-train features tess-lstm256 --data data --protocol random --out features.json
    """
    from training import recipe as recipes
    from training.pool import default_jobs
    from training.takeaway import take_away

    with words_for_errors():
        sides = take_away(
            recipes.load(recipe, overrides or ()),
            data,
            cache,
            to,
            kind=protocol,
            fold=fold,
            seed=seed,
            jobs=jobs or default_jobs(),
            console=err,
        )
        for name, side in sides.items():
            screen.print(f"{name}: {len(side.clips)} clips, each {side.plain.shape[1:]}")
        screen.print(f"[dim]{to}[/dim]")


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.")],
    form: Annotated[Format, typer.Option("--format", help="How the network is written.")],
    to: Annotated[Path, typer.Option("--out", help="The folder that it goes into.")] = Path(),
) -> None:
    """Hand on the network of RUN, as a SavedModel, as Keras keeps it, or as JSON and HDF5.

    The SavedModel gives calibrated probabilities; the other two give logits.

    Examples:
        undertone-train export runs/ravdess-lstm/unseen/fold-1-seed-0 --format json-h5 --out handed-on
    """
    from undertone.saved_model import import_tensorflow

    import_tensorflow()  # before Keras does: quietly
    from training.exchange import hand_on

    with words_for_errors():
        for path in hand_on(run, form, to):
            screen.print(str(path), highlight=False, soft_wrap=True)


def pair(
    first: Annotated[str, typer.Argument(help="A bundle's folder, or its name in --models.")],
    second: Annotated[str, typer.Argument(help="Another, measured on the same clips.")],
    models: Models = MODELS,
    protocol: ProtocolOption = "unseen",
) -> None:
    """Is FIRST better than SECOND on the same clips of the same people, or was it luck?

    From the predictions that lie in both bundles: the difference in UAR, its interval over speakers, and
    a permutation test that swaps their answers speaker by speaker.

    Examples:
        undertone-train pair ravdess-lstm ravdess-cnn-lstm
    """
    from training import predictions
    from training.crossval import EVIDENCE, PREDICTIONS
    from training.paired import paired
    from training.tables import paired_table

    with words_for_errors():
        folders = [Path(name) if Path(name).is_dir() else models / name for name in (first, second)]
        tables = [predictions.read(folder / EVIDENCE[protocol] / PREDICTIONS) for folder in folders]
        screen.print(paired_table([folder.name for folder in folders], paired(*tables)))


def compile_(
    model: Annotated[
        list[str], typer.Argument(help="Bundles' folders, or their names in --models.")
    ],
    models: Models = MODELS,
) -> None:
    """Write the network of each MODEL for ONNX Runtime, beside its SavedModel. `fit` does it, too.

    The answers are compared; the digest of the bundle changes.

    Examples:
        undertone-train compile undertone-ravdess
    """
    from training.compile import compile_network
    from undertone.bundle import open_bundle

    with words_for_errors():
        for name in model:
            folder = Path(name) if Path(name).is_dir() else models / name
            with err.status(f"compiling {folder}"):
                bundle = compile_network(open_bundle(folder))
            screen.print(f"{bundle.path}  [dim]{bundle.manifest.digest[:12]}[/dim]")


def robustness(
    recipe: RecipeName,
    data: Data = DATA,
    out: Out = RUNS,
    seed: Annotated[int, typer.Option(help="Of the runs that are tried.")] = 0,
    condition: Annotated[
        list[str] | None,
        typer.Option(help="Only those whose names begin so; repeatable. Default: all."),
    ] = None,
    overrides: Overrides = None,
    jobs: Jobs = None,
) -> None:
    """Try the models of a finished cross-validation under worse conditions: what does each cost?

    Loudness, telephone, MP3, white noise, babble, a room, silence around it, clipping. Every fold's model
    hears its own test speakers; what it refuses to answer counts as wrong.

    Examples:
        undertone-train robustness ravdess-conv-blstm --data data

        undertone-train robustness ravdess-conv-blstm --condition telephone --condition MP3
    """
    from training import recipe as recipes
    from training import robustness as trying
    from training.conditions import chosen
    from training.pool import default_jobs
    from training.tables import losses_table

    with words_for_errors():
        found = trying.measure(
            recipes.load(recipe, overrides or ()),
            data,
            out,
            seed=seed,
            conditions=chosen(condition or ()),
            overrides=overrides or (),
            jobs=jobs or default_jobs(),
            console=err,
        )
        screen.print(losses_table(found))


def results(
    models: Models = MODELS,
    to: Annotated[Path, typer.Option("--out", help="The page to write.")] = Path("docs/results.md"),
) -> None:
    """Write the table of what every model in --models reaches, from the manifests and reports there.

    Examples:
        undertone-train results
    """
    from training.standings import page

    with words_for_errors():
        written = page(models)
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(written)
        screen.print(f"[dim]{to}[/dim]")
