"""``undertone-train``: from recordings to a bundle that the service serves."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from undertone.errors import UndertoneError

app = typer.Typer(
    name="undertone-train",
    help="Train, measure and export models of emotion in speech.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
)

# A file or a pipe has no width of its own; a confusion matrix needs one.
_out = Console(width=None if sys.stdout.isatty() else 120)
_err = Console(stderr=True)

RecipeName = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A recipe's name, or a TOML file.")
]
Data = Annotated[
    Path,
    typer.Option(
        envvar="UNDERTONE_DATA", help="The folder that holds ravdess/ and tess/.", show_default=True
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Replace a setting, as schedule.epochs=2; repeatable."
    ),
]
Jobs = Annotated[
    int | None, typer.Option(min=1, help="Runs at a time, each on one thread. Default: the cores.")
]
Out = Annotated[Path, typer.Option(help="Where runs are kept; finished ones are not run again.")]


class Protocol(StrEnum):
    """How a recipe is measured."""

    UNSEEN = "unseen"
    RANDOM = "random"


DATA = Path("data")
RUNS = Path("runs")


@app.command()
def crossval(
    recipe: RecipeName,
    data: Data = DATA,
    out: Out = RUNS,
    protocol: Annotated[
        Protocol,
        typer.Option(
            help="Test on speakers that training never heard, or on a random fifth of all clips."
        ),
    ] = Protocol.UNSEEN,
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

    with _words_for_errors():
        chosen = recipes.load(recipe, overrides or ())
        result = crossvalidation.crossval(
            chosen,
            data,
            out,
            kind=protocol.value,
            folds=fold,
            seeds=seed or [0],
            overrides=overrides or (),
            jobs=jobs,
            console=_err,
        )
        _out.print(metrics_table(result.metrics, result.emotions))
        _out.print(protocols_table(chosen, crossvalidation.measured(chosen, out)))
        _out.print(f"[dim]{result.folder}[/dim]")


@app.command()
def fit(
    recipe: RecipeName,
    data: Data = DATA,
    out: Out = RUNS,
    models: Annotated[Path, typer.Option(help="The folder that the bundle goes into.")] = Path(
        "models"
    ),
    seed: Annotated[int, typer.Option(help="Of weights, order and augmentation.")] = 0,
    overrides: Overrides = None,
    jobs: Jobs = None,
) -> None:
    """Train RECIPE on everybody, for the number of epochs that cross-validation chose, and export it.

    The cross-validation must be finished: the epochs, the temperature and the figures come from it.

    Examples:
        undertone-train fit ravdess-conv-blstm --data data
    """
    from undertone.engine import import_tensorflow

    import_tensorflow()  # before Keras does: quietly
    from training import recipe as recipes
    from training import ship

    with _words_for_errors():
        bundle = ship.ship(
            recipes.load(recipe, overrides or ()),
            data,
            out,
            models,
            seed=seed,
            jobs=jobs,
            console=_err,
        )
        _out.print(f"{bundle.path}  [dim]{bundle.manifest.digest[:12]}[/dim]")


@app.command()
def recipes() -> None:
    """List the recipes that come with Undertone."""
    from training import recipe as recipes

    for name in recipes.names():
        _out.print(f"[bold]{name}[/bold]  {recipes.load(name).description}")


@app.command()
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

    with _words_for_errors(), progress_bar() as progress:
        folder = fetch(corpus, data, progress=progress)
    _out.print(str(folder))


@contextmanager
def _words_for_errors() -> Iterator[None]:
    """An error of ours is one line on stderr and exit code 1, not a traceback."""
    try:
        yield
    except UndertoneError as error:
        _err.print("[red]error:[/red]", escape(error.detail), highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
