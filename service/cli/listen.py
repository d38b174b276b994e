"""`undertone listen`."""

import json
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, cast

import typer
from rich.live import Live

from service.cli.common import (
    KeyOption,
    ModelOption,
    ModelsOption,
    UrlOption,
    fail,
    failing_in_one_line,
    shown,
)
from service.cli.hearing import Answer, Ear, ear
from service.cli.output import reply_of, segment_reply_of
from service.cli.screen import Screen
from service.cli.sound import Chunk, level, microphone, played

if TYPE_CHECKING:
    from undertone.audio import Audio, Limits
    from undertone.prediction import Prediction, Segment

_SURVEYED: Final = frozenset({"clipped", "phase_inverted"})
"""Warnings that are about the sound as it was recorded, and not about what is heard in it."""


class View(StrEnum):
    """How what is heard is shown."""

    BARS = "bars"
    JSONL = "jsonl"


def listen(
    file: Annotated[
        Path | None,
        typer.Option(
            help="Play this recording as if it were spoken now, instead of the microphone.",
            dir_okay=False,
        ),
    ] = None,
    view: Annotated[
        View | None,
        typer.Option("--format", help="Left out: bars in a terminal, JSON lines in a pipe."),
    ] = None,
    model: ModelOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    models: ModelsOption = None,
) -> None:
    """Hear the emotion in a voice while it speaks. Ctrl-C ends it with the answer for the whole.

    Examples:
    undertone listen

    undertone listen --file examples/hello.wav

    undertone listen --url http://localhost:8000 --format jsonl | jq --unbuffered .label
    """
    if sys.stdout is None:
        fail("there is no stdout to write to")
    view = view or (View.BARS if sys.stdout.isatty() else View.JSONL)
    with failing_in_one_line(), ear(model, models, url, key) as heard, _until_interrupted() as stop:
        if file is not None:
            recording = _read(file, heard.limits)
            chunks = played(recording.samples, recording.sr, stop)
            _show(heard, chunks, recording.sr, shown(file.name), view, recording)
        else:
            with microphone(stop) as (chunks, sr):
                _show(heard, chunks, sr, "microphone", view)


def _read(file: Path, limits: "Limits") -> "Audio":
    """A recording at its own rate, so that what hears it resamples it as it would a voice."""
    from undertone.audio import read

    try:
        return read(file, None, limits)
    except OSError as error:
        fail(f"{file}: {error.strerror or error}")


def _show(
    heard: Ear,
    chunks: Iterator[Chunk],
    sr: int,
    source: str,
    view: View,
    recording: "Audio | None" = None,
) -> None:
    """Show what is heard while it comes, and at the end what the whole was."""
    from undertone.prediction import Segment

    screen = Screen(heard.emotions, source, heard.model)

    def watched() -> Iterator[Chunk]:
        for chunk in chunks:
            screen.level = level(chunk)
            screen.seconds += len(chunk) / sr
            yield chunk

    live = Live(screen, refresh_per_second=20) if view is View.BARS else nullcontext()
    with live:
        for event in heard.listen(watched(), sr):
            if isinstance(event, Segment):
                screen.hear(event)
            else:
                event = event if recording is None else _of_file(event, recording)
                screen.end(event)
            if view is View.JSONL:
                print(json.dumps(_line(event)), flush=True)


def _of_file(answer: Answer, recording: "Audio") -> Answer:
    """The answer, with what the file says of the sound: the listener was given its mix alone."""
    same = cast("Prediction", answer)  # an answer that came over HTTP has the same names
    audio = replace(
        same.audio,
        sample_rate=recording.sample_rate,
        channels=recording.channels,
        encoding=recording.encoding,
    )
    doubts = (each for each in same.warnings if each.code not in _SURVEYED)
    return replace(same, audio=audio, warnings=(*recording.warnings, *doubts))


def _line(event: "Segment | Answer") -> dict[str, object]:
    """As the service's ``/stream`` says it."""
    from undertone.prediction import Segment

    if isinstance(event, Segment):
        return {"type": "segment", **segment_reply_of(event)}
    return {"type": "summary", **reply_of(event)}


@contextmanager
def _until_interrupted() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets; the second one ends the process as usual."""
    stop = threading.Event()
    usual = signal.getsignal(signal.SIGINT)

    def end(*_: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, usual)

    signal.signal(signal.SIGINT, end)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, usual)
