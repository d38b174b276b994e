"""`undertone predict`."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from service.cli.common import KeyOption, ModelOption, ModelsOption, UrlOption, fail, shown
from service.cli.hearing import Hearing, hearing
from service.cli.output import Format, Outcome, Writer, format_for, open_writer
from service.cli.sources import Source, recordings
from undertone.errors import UndertoneError


def predict(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="RECORDINGS...",
            help="WAV, FLAC, Ogg, MP3 or AIFF files, and folders, with all that are in them; - is a pipe.",
        ),
    ],
    model: ModelOption = None,
    segments: Annotated[
        bool, typer.Option("--segments", help="The emotion over time, a row for each window.")
    ] = False,
    split_channels: Annotated[
        bool,
        typer.Option(
            "--split-channels",
            help="Each channel for itself, too, as of a call in stereo: a row each.",
        ),
    ] = False,
    top_k: Annotated[
        int | None, typer.Option(min=1, help="How many emotions to show in a table or as JSON.")
    ] = None,
    form: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="Left out: what the name after -o ends in, a table in a terminal, CSV in a pipe.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file.", dir_okay=False)
    ] = None,
    url: UrlOption = None,
    key: KeyOption = None,
    models: ModelsOption = None,
) -> None:
    """Hear the emotion in recordings.

    A file that cannot be read is a row that says why, and keeps no other from being answered;
    the exit code is 1 then.

    Examples:
    undertone predict examples/hello.wav

    undertone predict --segments call.wav

    undertone predict --split-channels call.wav

    undertone predict recordings/ -o emotions.csv

    undertone predict --url http://localhost:8000 --format jsonl recordings/ | jq .label
    """
    sources = recordings(paths)
    if not sources:
        fail(f"no recordings in {', '.join(map(str, paths))}")
    form = format_for(form, output, (source.path for source in sources))
    asked = {"segments": segments, "split_channels": split_channels}
    with hearing(model, models, url, key, **asked) as heard:
        writer = open_writer(form, output, heard.emotions, top_k=top_k, **asked)
        failed = _run(heard, sources, writer)
    raise typer.Exit(int(failed))


def _run(heard: Hearing, sources: Sequence[Source], writer: Writer) -> bool:
    """Answer for every source, in order; whether there was one that has no answer."""
    failed = False
    with writer, _progress(len(sources)) as progress, ThreadPoolExecutor(heard.at_once) as pool:
        task = progress.add_task("", total=len(sources))
        try:
            for outcome in pool.map(lambda source: _outcome(heard, source), sources):
                writer.write(outcome)
                failed |= outcome.problem is not None
                progress.update(task, advance=1, description=shown(outcome.file.name))
        except BaseException:
            pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait for the files that remain
            raise
    return failed


def _outcome(heard: Hearing, source: Source) -> Outcome:
    if source.problem:
        return Outcome(source.path, problem=source.problem)
    try:
        return Outcome(source.path, heard.predict(source.path))
    except (UndertoneError, OSError) as error:
        return Outcome(source.path, problem=error)


@contextmanager
def _progress(n_files: int) -> Iterator[Progress]:
    """A bar on stderr, where that is a terminal and there is something to wait for."""
    console = Console(stderr=True)
    with Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
        console=console,
        transient=True,
        disable=n_files < 2 or not console.is_terminal,
    ) as progress:
        yield progress
