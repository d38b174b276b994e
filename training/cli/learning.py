"""Commands from recordings to a bundle."""

from pathlib import Path
from typing import Annotated

import typer

from training.cli.common import (
    DATA,
    EXPERIMENTS,
    MODELS,
    RUNS,
    Data,
    Jobs,
    Log,
    Models,
    Out,
    Overrides,
    ProtocolOption,
    RecipeName,
    err,
    words_for_errors,
)
from training.cli.common import out as console


def crossval(
    recipe: RecipeName,
    data: Data = DATA,
    out: Out = RUNS,
    protocol: ProtocolOption = "unseen",
    fold: Annotated[
        list[str] | None, typer.Option(help="Only this fold; repeatable. Default: all.")
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Seeds; repeatable. Default: 0.")] = None,
    overrides: Overrides = None,
    jobs: Jobs = None,
) -> None:
    """Train and test RECIPE, fold by fold, and say what it reaches on people it never heard.

    Writes predictions.csv, validation.csv and metrics.json below --out; for every fold a report with
    its figures, a bundle and the best epoch's .keras file; and prints the figures of both protocols
    side by side. Interrupted? The same command goes on where it stopped.

    Examples:
        undertone-train crossval ravdess-conv-blstm --data data

        undertone-train crossval ravdess-lstm --protocol random --seed 0 --seed 1 --seed 2

        undertone-train crossval ravdess-conv-blstm --fold 1 --seed 0 --set schedule.epochs=5
    """
    from training import crossval as crossvalidation
    from training import recipe as recipes
    from training.tables import metrics_table, protocols_table

    with words_for_errors():
        chosen = recipes.load(recipe, overrides or ())
        result = crossvalidation.crossval(
            chosen,
            data,
            out,
            kind=protocol,
            folds=fold,
            seeds=seed or [0],
            overrides=overrides or (),
            jobs=jobs,
            console=err,
        )
        console.print(metrics_table(result.metrics, result.emotions))
        console.print(protocols_table(chosen, crossvalidation.measured(chosen, out)))
        console.print(f"[dim]{result.folder}[/dim]")


def fit(
    recipe: RecipeName,
    data: Data = DATA,
    out: Out = RUNS,
    models: Models = MODELS,
    log: Log = EXPERIMENTS,
    seed: Annotated[int, typer.Option(help="Of weights, order and augmentation.")] = 0,
    overrides: Overrides = None,
    jobs: Jobs = None,
) -> None:
    """Train RECIPE on everybody, for the number of epochs that cross-validation chose, and export it.

    The cross-validation must be finished: the epochs, the temperature and the figures come from it.

    Examples:
        undertone-train fit ravdess-conv-blstm --data data
    """
    from undertone.saved_model import import_tensorflow

    import_tensorflow()  # before Keras does: quietly
    from training import recipe as recipes
    from training import ship

    with words_for_errors():
        bundle = ship.ship(
            recipes.load(recipe, overrides or ()),
            data,
            out,
            models,
            log=log,
            seed=seed,
            overrides=overrides or (),
            jobs=jobs,
            console=err,
        )
        console.print(f"{bundle.path}  [dim]{bundle.manifest.digest[:12]}[/dim]")


def screen(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="A TOML file.")],
    data: Data = DATA,
    out: Out = RUNS,
    log: Log = EXPERIMENTS,
    jobs: Jobs = None,
) -> None:
    """Try the changes to a recipe that PLAN lists, by what validation speakers say of them.

    Nothing is asked about the test speakers. Every network becomes a row of --log; the board of all that
    was tried comes last. Interrupted? The same command goes on where it stopped.

    A plan names a recipe, overrides that all changes share, and changes:

        recipe = "ravdess-conv-blstm"

        settings = ["schedule.epochs=30"]

        changes = [{name = "base"}, {name = "warp", settings = ["augmentation.warp=0.1"]}]

    Examples:
        undertone-train screen plan.toml --data data
    """
    from training import screen as screening
    from training.tables import leaderboard_tables

    with words_for_errors():
        screening.screen(screening.load(plan), data, out, log, jobs=jobs, console=err)
        console.print(*leaderboard_tables(screening.read(log)))


def leaderboard(
    log: Log = EXPERIMENTS,
    to: Annotated[
        Path | None, typer.Option("--out", help="A page to write, in place of the table.")
    ] = None,
    plans: Annotated[
        Path, typer.Option(help="The folder of the plans that the page is to name.")
    ] = EXPERIMENTS.parent,
) -> None:
    """The changes that `screen` has tried, best first.

    Examples:
        undertone-train leaderboard

        undertone-train leaderboard --out docs/experiments.md
    """
    from training import ablation
    from training import screen as screening
    from training.tables import leaderboard_tables

    with words_for_errors():
        trials = screening.read(log)
        if to:
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_text(ablation.page(trials, screening.plans(plans)))
            console.print(f"[dim]{to}[/dim]")
        else:
            console.print(*leaderboard_tables(trials))


def vouch(
    recipe: RecipeName,
    data: Data = DATA,
    out: Out = RUNS,
    models: Models = MODELS,
    seed: Annotated[int, typer.Option(help="That the model was fitted with.")] = 0,
    on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CORPUS", help="One that it learnt nothing from, to be heard now; repeatable."
        ),
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Put beside the model of RECIPE what was measured of it since `fit`; the network stays as it is.

    Its manifest and card get the figures of seeds, protocols, conditions and corpora that they did not have.

    Examples:
        undertone-train crossval ravdess-conv-blstm --protocol random

        undertone-train crossval ravdess-conv-blstm --seed 0 --seed 1

        undertone-train vouch ravdess-conv-blstm

        undertone-train vouch ravdess-conv-blstm --on tess
    """
    from training import recipe as recipes
    from training import vouch as vouching

    with words_for_errors():
        bundle = vouching.vouch(
            recipes.load(recipe, overrides or ()),
            data,
            out,
            models,
            seed=seed,
            on=on or (),
            overrides=overrides or (),
            console=err,
        )
        console.print(f"{bundle.path}  [dim]{bundle.manifest.digest[:12]}[/dim]")


def restore(
    recipe: RecipeName,
    out: Out = RUNS,
    models: Models = MODELS,
    overrides: Overrides = None,
) -> None:
    """Lay out the runs behind the model of RECIPE again, so that more seeds can join them.

    A machine that has never run them then measures what is missing, and fits on all of it.

    Examples:
        undertone-train restore ravdess-lstm

        undertone-train crossval ravdess-lstm --seed 0 --seed 1

        undertone-train fit ravdess-lstm
    """
    from training import recipe as recipes
    from training import restore as restoring

    with words_for_errors():
        for folder in restoring.restore(recipes.load(recipe, overrides or ()), out, models):
            console.print(str(folder), highlight=False, soft_wrap=True)


def recipes() -> None:
    """List the recipes that come with Undertone."""
    from training import recipe as recipes

    for name in recipes.names():
        console.print(f"[bold]{name}[/bold]  {recipes.load(name).description}")


def download(
    corpus: Annotated[
        str, typer.Argument(metavar="ravdess|ravdess-song|tess", help="Which corpus.")
    ],
    data: Data = DATA,
) -> None:
    """Download a corpus from where its authors publish it, and check every file.

    Examples:
        undertone-train download ravdess --data data
    """
    from training.download import download as fetch
    from training.download import progress_bar

    with words_for_errors(), progress_bar() as progress:
        folder = fetch(corpus, data, progress=progress)
    console.print(str(folder))
