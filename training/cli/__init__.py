"""``undertone-train``: from recordings to a bundle that the service serves.

TensorFlow and matplotlib are imported by the commands that need them: ``--help`` is instant.
"""

import os
from typing import Final

import typer

from training.cli.learning import (
    crossval,
    download,
    fit,
    leaderboard,
    recipes,
    restore,
    screen,
    vouch,
)
from training.cli.results import compile_, evaluate, export, features, pair, results, robustness

# Features are products of small matrices, and every core has a clip of its own. NumPy reads this once,
# when it is imported; other processes inherit it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

app: Final = typer.Typer(
    name="undertone-train",
    help="Train, measure and export models of emotion in speech.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
)

for _command in (
    download,
    recipes,
    crossval,
    fit,
    vouch,
    restore,
    screen,
    leaderboard,
    evaluate,
    features,
    export,
    robustness,
    pair,
    results,
):
    app.command()(_command)
app.command("compile")(compile_)
