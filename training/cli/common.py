"""What the commands share: the consoles, the options, and words for errors."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape

from training.protocols import Reported
from undertone.errors import UndertoneError

# A file or a pipe has no width of its own; a confusion matrix needs one.
out: Final = Console(width=None if sys.stdout.isatty() else 120)
err: Final = Console(stderr=True)

RecipeName = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A recipe's name, or a TOML file.")
]
Data = Annotated[
    Path,
    typer.Option(
        envvar="UNDERTONE_DATA",
        help="The folder that holds ravdess/, tess/ and your own corpora.",
        show_default=True,
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
Models = Annotated[Path, typer.Option(help="The folder that holds the bundles.")]
Log = Annotated[Path, typer.Option(help="The CSV of every network that was tried.")]

DATA: Final = Path("data")
RUNS: Final = Path("runs")
MODELS: Final = Path("models")
EXPERIMENTS: Final = Path("training/experiments/experiments.csv")


ProtocolOption = Annotated[
    Reported,
    typer.Option(
        help="Test on speakers that training never heard (of RAVDESS also in five folds), or on a random "
        "fifth of all clips."
    ),
]


@contextmanager
def words_for_errors() -> Iterator[None]:
    """An error of ours, or of the file system, is one line on stderr and exit code 1, not a traceback."""
    try:
        yield
    except UndertoneError as error:
        _say(error.detail)
        raise typer.Exit(1) from error
    except OSError as error:  # a full disk, a folder that may not be written
        _say(str(error))
        raise typer.Exit(1) from error


def _say(detail: str) -> None:
    err.print("[red]error:[/red]", escape(detail), highlight=False, soft_wrap=True)
