"""Answers for files, as a table, CSV, JSON lines or one JSON array."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TextIO, TypeAlias, cast

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from service.cli.common import fail, shown
from service.cli.hearing import Answer
from service.cli.looks import bar, colour
from service.cli.sources import SUFFIXES
from undertone.errors import UndertoneError, UnusableAudio

if TYPE_CHECKING:
    from undertone.prediction import Prediction, Segment

_BAR = 12

MIX: Final = "mix"
"""What stands for all channels together."""

_UNUSABLE: Final = {kind.code: kind for kind in UnusableAudio.__subclasses__()}

_Heard: TypeAlias = "Answer | Prediction"
_Part: TypeAlias = "_Heard | UndertoneError | OSError"


class Format(StrEnum):
    """How answers are written."""

    TABLE = "table"
    CSV = "csv"
    JSONL = "jsonl"
    JSON = "json"


_BY_SUFFIX: Final = {f".{form}": form for form in (Format.CSV, Format.JSON, Format.JSONL)}
"""What the end of a file's name says of its format; a table is for eyes."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file: an answer, or a problem."""

    file: Path
    answer: "Answer | None" = None
    problem: UndertoneError | OSError | None = None


class Writer(AbstractContextManager["Writer"], Protocol):
    """Takes outcomes one by one; what needs all of them is written when the block ends."""

    def write(self, outcome: Outcome) -> None:
        """Add one."""


def format_for(form: Format | None, output: Path | None, sources: Iterable[Path]) -> Format:
    """The format that was said, or that a file's name ends in, or for where stdout leads.

    Ends the process where writing to ``output`` would cost a recording, or nothing says the format.

    Args:
        form: the format, if it was said.
        output: the file, if it was said; stdout otherwise.
        sources: the recordings that are to be answered.
    """
    if output is None and sys.stdout is None:
        fail("there is no stdout to write to; name a file with -o")
    if output is None:
        return form or (Format.TABLE if sys.stdout.isatty() else Format.CSV)
    suffix = output.suffix.lower()
    if suffix in SUFFIXES or any(_is_same(output, source) for source in sources):
        fail(f"cannot write {output}: it is a recording, or is named like one")
    if form is not None:
        return form
    if suffix not in _BY_SUFFIX:
        known = ", ".join(sorted(_BY_SUFFIX))
        fail(f"cannot write {output}: its name ends in none of {known}; say which with --format")
    return _BY_SUFFIX[suffix]


def open_writer(
    form: Format,
    output: Path | None,
    emotions: Sequence[str],
    *,
    segments: bool,
    split_channels: bool,
    top_k: int | None,
) -> Writer:
    """The writer for a format; ends the process where the file cannot be written.

    Args:
        form: as `format_for` says.
        output: the file; stdout where left out.
        emotions: all that the model knows, in order: the columns of CSV.
        segments: whether answers hold a timeline.
        split_channels: whether they hold each channel for itself.
        top_k: how many emotions to show in a table or as JSON.
    """
    if output is None:
        file = sys.stdout
    else:
        try:
            file = output.open("w", encoding="utf-8", newline="")
        except OSError as error:
            fail(f"cannot write {output}: {error.strerror or error}")
    match form:
        case Format.TABLE:
            return TableWriter(
                file, segments=segments, split_channels=split_channels, top_k=top_k or 3
            )
        case Format.CSV:
            return CsvWriter(file, emotions, segments=segments, split_channels=split_channels)
        case Format.JSONL | Format.JSON:
            return JsonWriter(file, top_k, array=form == Format.JSON)


def _is_same(one: Path, other: Path) -> bool:
    """Whether both are one file, by whatever names."""
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there
        return False


class _FileWriter:
    def __init__(self, file: TextIO) -> None:
        self._file = file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.flush()
        if self._file is not sys.stdout:
            self._file.close()


class CsvWriter(_FileWriter):
    """A row a file, a channel of it, or a segment; a column for each emotion, in the model's order."""

    def __init__(
        self, file: TextIO, emotions: Sequence[str], *, segments: bool, split_channels: bool
    ) -> None:
        super().__init__(file)
        self._segments = segments
        self._split_channels = split_channels
        place = ["file", "channel"] if split_channels else ["file"]
        columns = (
            [*place, "start", "end", "label", "score", *emotions, "reason"]
            if segments
            else [
                *(*place, "duration_s", "label", "score", *emotions),
                *("sentiment", "sentiment_score", "warnings", "model", "version"),
            ]
        )
        self._rows = csv.DictWriter(file, [*columns, "code", "problem"], lineterminator="\n")
        self._rows.writeheader()

    def write(self, outcome: Outcome) -> None:
        """Add the rows of one file."""
        for channel, part in _parts(outcome):
            place = {"channel": channel} if self._split_channels else {}
            for row in self._of(part, outcome):
                self._rows.writerow({"file": shown(outcome.file), **place, **row})
        self._file.flush()

    def _of(self, part: _Part, outcome: Outcome) -> Iterator[dict[str, object]]:
        if isinstance(part, UndertoneError | OSError):
            problem = _described(part)
            yield {"code": problem["code"], "problem": problem["detail"]}
        elif self._segments:
            yield from _segments(part)
        else:
            assert outcome.answer is not None
            yield _whole(part, outcome.answer)


class JsonWriter(_FileWriter):
    """One object a file: the service's reply, or ``problem``; a line each, or one array."""

    def __init__(self, file: TextIO, top_k: int | None, *, array: bool) -> None:
        super().__init__(file)
        self._top_k = top_k
        self._array = array
        self._before = "[\n" if array else ""

    def write(self, outcome: Outcome) -> None:
        """Add the object of one file."""
        said = (
            {"problem": _described(outcome.problem)}
            if outcome.answer is None
            else reply_of(outcome.answer, self._top_k)
        )
        self._file.write(self._before + json.dumps({"file": shown(outcome.file), **said}))
        self._before = ",\n"
        if not self._array:
            self._file.write("\n")
            self._before = ""
        self._file.flush()

    def __exit__(self, *error: object) -> None:
        if self._array:
            self._file.write("[]\n" if self._before.startswith("[") else "\n]\n")
        super().__exit__(*error)


class TableWriter(_FileWriter):
    """For people: shown whole at the end, since its columns are as wide as the widest."""

    def __init__(self, file: TextIO, *, segments: bool, split_channels: bool, top_k: int) -> None:
        super().__init__(file)
        self._segments = segments
        self._split_channels = split_channels
        self._top_k = top_k
        columns = (
            ("from", "to", "emotion", "") if segments else ("emotion", "", "then", "sentiment")
        )
        place = [Column("file", overflow="fold"), *([Column("channel")] if split_channels else [])]
        self._table = Table(*place, *columns, box=None, pad_edge=False)

    def write(self, outcome: Outcome) -> None:
        """Add the rows of one file."""
        name = shown(outcome.file)
        for channel, part in _parts(outcome):
            for cells in self._rows(part):
                place = [name, channel] if self._split_channels else [name]
                self._table.add_row(*map(Text, place), *cells)
                name, channel = "", ""

    def _rows(self, part: _Part) -> Iterator[Sequence[Text | str]]:
        if isinstance(part, UndertoneError | OSError):
            yield Text("✗", "red"), "", Text(str(_described(part)["detail"]), "red")
        elif self._segments:
            for segment in part.segments or ():
                span = f"{segment.start:.1f} s", f"{segment.end:.1f} s"
                yield *span, *_emotion(segment.label, segment.score, segment.reason)
        else:
            yield self._cells(part)

    def __exit__(self, *error: object) -> None:
        Console(file=self._file).print(self._table)
        super().__exit__(*error)

    def _cells(self, answer: _Heard) -> tuple[Text, Text, str, str]:
        others = [
            f"{each.label} {each.score:.1%}" for each in answer.probabilities[1 : self._top_k]
        ]
        label, score = answer.sentiment
        first = _emotion(answer.label, answer.score, None)
        return *first, ", ".join(others), f"{label} {score:.1%}"


def _emotion(label: str | None, score: float | None, reason: str | None) -> tuple[Text, Text]:
    if label is None or score is None:
        return Text(reason or "", "bright_black"), Text("")
    return Text(f"{label} {score:.1%}", colour(label)), bar(score, _BAR, colour(label))


def _parts(outcome: Outcome) -> Iterator[tuple[str, _Part]]:
    """A file, and each of its channels where those were asked for: what is heard, or why nothing is."""
    if outcome.answer is None:
        assert outcome.problem is not None
        yield "", outcome.problem
        return
    yield MIX, outcome.answer
    for number, channel in enumerate(_channels(outcome.answer), 1):
        yield str(number), channel


def _channels(answer: Answer) -> Iterator["Prediction | UnusableAudio"]:
    """Each channel as the library has it: of a silent one, a service tells the code of the error alone."""
    for channel in answer.channels or ():
        reason = getattr(channel, "reason", None)
        if reason is None:
            yield cast("Prediction", channel)
        else:
            kind = _UNUSABLE.get(reason, UnusableAudio)
            yield kind("There is nothing in this channel to hear an emotion in.")


def _whole(part: _Heard, answer: Answer) -> dict[str, object]:
    label, score = part.sentiment
    name, version = answer.model
    return {
        "duration_s": answer.audio.duration_s,
        "label": part.label,
        "score": part.score,
        **{each.label: each.score for each in part.probabilities},
        "sentiment": label,
        "sentiment_score": score,
        "warnings": " ".join(each.code for each in part.warnings),
        "model": name,
        "version": version,
    }


def _segments(answer: _Heard) -> Iterator[dict[str, object]]:
    for segment in answer.segments or ():
        yield {
            "start": segment.start,
            "end": segment.end,
            "label": segment.label,
            "score": segment.score,
            **{each.label: each.score for each in segment.probabilities or ()},
            "reason": segment.reason,
        }


def reply_of(answer: Answer, top_k: int | None = None) -> dict[str, Any]:
    """What the service would reply, without what only a request has."""
    from service.schemas import PredictionReply

    same = cast("Prediction", answer)  # an answer that came over HTTP has the same names
    if answer.channels is not None:
        same = replace(same, channels=tuple(_channels(answer)))
    reply = PredictionReply.of(same, request_id="", top_k=top_k)
    return reply.model_dump(mode="json", exclude={"request_id"}, exclude_unset=True)


def segment_reply_of(segment: "Segment") -> dict[str, Any]:
    """What the service would reply for one window, with the latency where it is one of a stream."""
    from service.schemas import SegmentReply
    from undertone.client import LiveSegment

    reply: dict[str, Any] = SegmentReply.of(segment).model_dump(mode="json")
    return reply | ({"latency_ms": segment.latency_ms} if isinstance(segment, LiveSegment) else {})


def _described(problem: UndertoneError | OSError | None) -> dict[str, object]:
    if isinstance(problem, UndertoneError):
        return {
            "code": problem.code,
            "detail": problem.detail,
            "received": problem.received,
            "allowed": problem.allowed,
        }
    assert problem is not None
    return {"code": "unreadable_file", "detail": problem.strerror or str(problem)}
