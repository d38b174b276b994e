"""The command `undertone`: one module a command, and what they share in `service.cli.common`.

TensorFlow, librosa and FastAPI are imported by the commands that need them: `--help` is instant.
"""

import os
from typing import Annotated

import typer

# The features of a clip are a product of small matrices: spread over cores it takes longer, and the
# cores are busy with other clips. NumPy reads this once, when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import undertone
from service.cli import listen, models, predict, serve, show, verify
from service.cli.common import Commands

app = typer.Typer(
    cls=Commands,
    help="Undertone hears how something is said.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"undertone {undertone.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[  # its callback is all of it
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Say which this is."),
    ] = False,
) -> None:
    """Undertone hears how something is said."""


app.command("serve")(serve.serve)
app.command("predict")(predict.predict)
app.command("listen")(listen.listen)
app.command("show")(show.show)
app.command("models")(models.list_models)
app.command("verify")(verify.verify)
