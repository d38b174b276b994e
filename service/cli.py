"""The command line: `undertone serve`, `undertone predict`, `undertone models`.

TensorFlow, librosa and FastAPI are imported by the commands that need them: `--help` is instant.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Column, Table

from undertone.errors import UndertoneError

if TYPE_CHECKING:
    from service.settings import Settings
    from undertone.prediction import Prediction

# The features of a clip are a product of small matrices: spread over cores it takes longer, and the
# cores are busy with other clips. NumPy reads this once, when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

app = typer.Typer(
    help="Undertone hears how something is said.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

ModelsOption = Annotated[
    Path | None, typer.Option(help="A folder with bundles, or one bundle. (UNDERTONE_MODELS)")
]


@app.command()
def serve(
    host: Annotated[
        str | None, typer.Option(help="The address to listen on. (UNDERTONE_HOST)")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="The port to listen on. (UNDERTONE_PORT)")
    ] = None,
    models: ModelsOption = None,
) -> None:
    """Serve predictions over HTTP.

    Every other setting is an environment variable.

    Examples:
    undertone serve --port 8123

    UNDERTONE_MAX_DURATION_S=60 undertone serve --host 0.0.0.0
    """
    settings = _settings(host=host, port=port, models=models)
    with _failing_in_one_line():
        from service.server import run

        try:
            run(settings)
        except OSError as error:
            _fail(f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}")


@app.command()
def predict(
    files: Annotated[list[Path], typer.Argument(help="Recordings: WAV, FLAC, Ogg, MP3 or AIFF.")],
    model: Annotated[str | None, typer.Option(help="A name that `undertone models` lists.")] = None,
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
    settings = _settings(models=models)
    with _failing_in_one_line():
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


@app.command("models")
def list_models(models: ModelsOption = None) -> None:
    """List the models there are, with how well they do."""
    settings = _settings(models=models)
    with _failing_in_one_line():
        from service.models import choose, find_bundles
        from undertone.bundle import read_manifest

        manifests = {m.name: m for m in map(read_manifest, find_bundles(settings))}
        default = choose(settings.default_model, manifests)
    table = Table("model", "version", "emotions", "measured", "licence")
    for name, manifest in sorted(manifests.items()):
        measured = [f"{protocol}: UAR {m.uar:.3f}" for protocol, m in manifest.metrics.items()]
        table.add_row(
            f"{name} (default)" if name == default else name,
            manifest.version,
            ", ".join(manifest.emotions),
            "\n".join(measured),
            manifest.licence,
        )
    Console().print(table)


@app.command()
def verify(
    model: Annotated[
        str | None,
        typer.Argument(help="A name that `undertone models` lists, or the folder of a bundle."),
    ] = None,
    models: ModelsOption = None,
) -> None:
    """Check the files, the graph and the golden sample of a model, the default one if none is named.

    The exit code is 1 if one of them is not as it must be; nothing after it is looked at then.

    Examples:
    undertone verify

    undertone verify ./downloads/somebodys-model
    """
    settings = _settings(models=models)
    with _failing_in_one_line():
        from service.models import choose, find_models
        from undertone.bundle import is_bundle, read_manifest
        from undertone.verify import verify as checks_of

        if model and is_bundle(Path(model)):
            path = Path(model)
        else:
            found = find_models(settings)
            path, _ = found[choose(model or settings.default_model, found)]
        passed = True
        for check in checks_of(path):
            passed = check.passed
            typer.echo(f"{'ok' if passed else 'BAD':<4}{check.name}: {check.detail}")
        if not passed:
            _fail(f"{path} must not be used")
        typer.echo(f"{path}\ndigest {read_manifest(path).digest}")


def _settings(**given: object) -> "Settings":
    """The settings of the environment, but for what was given; ends the process if wrong."""
    from pydantic import ValidationError

    from service.settings import Settings, explain

    try:
        return Settings.model_validate({k: v for k, v in given.items() if v is not None})
    except ValidationError as error:
        _fail(explain(error))


@contextmanager
def _failing_in_one_line() -> Iterator[None]:
    try:
        yield
    except UndertoneError as error:
        _fail(error.detail)


def _fail(message: str) -> NoReturn:
    typer.echo(f"undertone: {message}", err=True)
    raise typer.Exit(1)


def _described(error: UndertoneError | OSError) -> dict[str, object]:
    if isinstance(error, UndertoneError):
        return {"code": error.code, "detail": error.detail}
    return {"code": "unreadable_file", "detail": error.strerror or str(error)}


def _reply(prediction: "Prediction", top_k: int | None) -> dict[str, object]:
    """What the service would reply, without what only a request has."""
    from service.schemas import PredictionReply

    reply = PredictionReply.of(prediction, request_id="", top_k=top_k)
    return reply.model_dump(mode="json", exclude={"request_id"}, exclude_unset=True)


def _cells(prediction: "Prediction", top_k: int) -> tuple[str, str, str]:
    first, *others = (f"{each.label} {each.score:.1%}" for each in prediction.probabilities[:top_k])
    label, score = prediction.sentiment
    return first, ", ".join(others), f"{label} {score:.1%}"
