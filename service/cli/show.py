"""`undertone show`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from service.cli.common import (
    ModelOption,
    ModelsOption,
    fail,
    failing_in_one_line,
    settings_of,
    shown,
)


def show(
    clip: Annotated[Path, typer.Argument(help="A recording: WAV, FLAC, Ogg, MP3 or AIFF.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="The picture: .png, .svg or .pdf.", dir_okay=False),
    ],
    model: ModelOption = None,
    models: ModelsOption = None,
) -> None:
    """Draw a recording, and what is heard in it, on one sheet.

    Waveform, log-mel spectrogram, MFCC, loudness, and the probabilities over time.

    Examples:
    undertone show examples/hello.wav -o hello.png
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        fail("show draws with matplotlib: pip install 'undertone[training]'")
    settings = settings_of(models=models)
    with failing_in_one_line(), Console(stderr=True).status("listening and drawing"):
        from service.models import load_one
        from undertone.show import sheet

        classifier = load_one(settings, model)
        try:
            prediction = classifier.predict(clip, segments=True, limits=settings.limits)
        except OSError as error:
            fail(f"{clip}: {error.strerror or error}")
        figure = sheet(prediction, classifier.spec, title=shown(clip.name))
        try:
            figure.savefig(output)
        except (OSError, ValueError) as error:  # a folder that is not there, a suffix not known
            fail(f"cannot write {output}: {getattr(error, 'strerror', None) or error}")
