"""`undertone predict`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from service.cli.common import ModelOption, ModelsOption, failing_in_one_line, settings_of
from undertone.errors import UndertoneError

if TYPE_CHECKING:
    from undertone.classifier import Prediction


def predict(
    files: Annotated[list[Path], typer.Argument(help="Recordings: WAV, FLAC, Ogg, MP3 or AIFF.")],
    model: ModelOption = None,
    top_k: Annotated[
        int | None, typer.Option(min=1, help="How many emotions to show; all with --json.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    models: ModelsOption = None,
) -> None:
    """Hear the emotion in recordings.

    A file that cannot be read keeps no other from being answered; the exit code is 1 then.

    Examples:
    undertone predict examples/hello.wav

    undertone predict --json --top-k 2 *.wav
    """
    settings = settings_of(models=models)
    with failing_in_one_line():
        from service.models import load_one

        classifier = load_one(settings, model)

    table = Table(Column("file", overflow="fold"), "emotion", "then", "sentiment")
    failed = False
    for file in files:
        try:
            prediction = classifier.predict(file)
        except (UndertoneError, OSError) as error:
            failed = True
            if as_json:
                typer.echo(json.dumps({"file": str(file), "error": _described(error)}))
            else:
                typer.echo(f"{file}: {_described(error)['detail']}", err=True)
            continue
        if as_json:
            typer.echo(json.dumps({"file": str(file), **_reply(prediction, top_k)}))
        else:
            table.add_row(str(file), *_cells(prediction, top_k or 3))
    if table.row_count:
        Console().print(table)
    raise typer.Exit(int(failed))


def _described(error: UndertoneError | OSError) -> dict[str, object]:
    if isinstance(error, UndertoneError):
        return {"code": error.code, "detail": error.detail}
    return {"code": "unreadable_file", "detail": error.strerror or str(error)}


def _reply(prediction: "Prediction", top_k: int | None) -> dict[str, object]:
    """What the service would reply, without what only a request has."""
    from service.schemas import PredictionReply

    reply = PredictionReply.of(prediction, request_id="", top_k=top_k)
    return reply.model_dump(mode="json", exclude={"request_id"})


def _cells(prediction: "Prediction", top_k: int) -> tuple[str, str, str]:
    first, *others = (f"{each.label} {each.score:.1%}" for each in prediction.probabilities[:top_k])
    label, score = prediction.sentiment
    return first, ", ".join(others), f"{label} {score:.1%}"
