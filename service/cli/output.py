"""Answers for files, as a table, CSV, JSON lines or one JSON array."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TextIO, cast

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from service.cli.common import fail, shown
from service.cli.hearing import Answer
from service.cli.looks import bar, colour
from service.cli.sources import SUFFIXES
from undertone.errors import UndertoneError

if TYPE_CHECKING:
    from undertone.prediction import Prediction, Segment

_BAR = 12


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
    top_k: int | None,
) -> Writer:
    """The writer for a format.

    Args:
        form: as `format_for` says.
        output: the file; stdout where left out.
        emotions: all that the model knows, in order: the columns of CSV.
        segments: whether answers hold a timeline.
        top_k: how many emotions to show in a table or as JSON.

    Raises:
        OSError: the file cannot be written.
    """
    file = sys.stdout if output is None else output.open("w", encoding="utf-8", newline="")
    match form:
        case Format.TABLE:
            return TableWriter(file, segments=segments, top_k=top_k or 3)
        case Format.CSV:
            return CsvWriter(file, emotions, segments=segments)
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
    """One row a file, or one a segment; a column for each emotion, in the model's order."""

    def __init__(self, file: TextIO, emotions: Sequence[str], *, segments: bool) -> None:
        super().__init__(file)
        self._segments = segments
        columns = (
            ["file", "start", "end", "label", "score", *emotions, "reason"]
            if segments
            else [
                *("file", "duration_s", "label", "score", *emotions),
                *("sentiment", "sentiment_score", "warnings", "model", "version"),
            ]
        )
        self._rows = csv.DictWriter(file, [*columns, "code", "problem"], lineterminator="\n")
        self._rows.writeheader()

    def write(self, outcome: Outcome) -> None:
        """Add the rows of one file."""
        if outcome.answer is None:
            problem = _described(outcome)
            row = {"code": problem["code"], "problem": problem["detail"]}
            self._rows.writerow({"file": shown(outcome.file), **row})
        elif self._segments:
            for segment in _segments(outcome.answer):
                self._rows.writerow({"file": shown(outcome.file), **segment})
        else:
            self._rows.writerow({"file": shown(outcome.file), **_whole(outcome.answer)})
        self._file.flush()


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
            {"problem": _described(outcome)}
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

    def __init__(self, file: TextIO, *, segments: bool, top_k: int) -> None:
        super().__init__(file)
        self._segments = segments
        self._top_k = top_k
        columns = (
            ("from", "to", "emotion", "") if segments else ("emotion", "", "then", "sentiment")
        )
        self._table = Table(Column("file", overflow="fold"), *columns, box=None, pad_edge=False)

    def write(self, outcome: Outcome) -> None:
        """Add the rows of one file."""
        name = Text(shown(outcome.file))
        if outcome.answer is None:
            detail = Text(str(_described(outcome)["detail"]), "red")
            self._table.add_row(name, Text("✗", "red"), "", detail)
        elif self._segments:
            for segment in outcome.answer.segments or ():
                span = f"{segment.start:.1f} s", f"{segment.end:.1f} s"
                self._table.add_row(
                    name, *span, *_emotion(segment.label, segment.score, segment.reason)
                )
                name = Text("")
        else:
            self._table.add_row(name, *self._cells(outcome.answer))

    def __exit__(self, *error: object) -> None:
        Console(file=self._file).print(self._table)
        super().__exit__(*error)

    def _cells(self, answer: Answer) -> tuple[Text, Text, str, str]:
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


def _whole(answer: Answer) -> dict[str, object]:
    label, score = answer.sentiment
    name, version = answer.model
    return {
        "duration_s": answer.audio.duration_s,
        "label": answer.label,
        "score": answer.score,
        **{each.label: each.score for each in answer.probabilities},
        "sentiment": label,
        "sentiment_score": score,
        "warnings": " ".join(each.code for each in answer.warnings),
        "model": name,
        "version": version,
    }


def _segments(answer: Answer) -> Iterator[dict[str, object]]:
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
    reply = PredictionReply.of(same, request_id="", top_k=top_k)
    return reply.model_dump(mode="json", exclude={"request_id"}, exclude_unset=True)


def segment_reply_of(segment: "Segment") -> dict[str, Any]:
    """What the service would reply for one window, with the latency where it is one of a stream."""
    from service.schemas import SegmentReply
    from undertone.client import LiveSegment

    reply: dict[str, Any] = SegmentReply.of(segment).model_dump(mode="json")
    return reply | ({"latency_ms": segment.latency_ms} if isinstance(segment, LiveSegment) else {})


def _described(outcome: Outcome) -> dict[str, object]:
    problem = outcome.problem
    if isinstance(problem, UndertoneError):
        return {
            "code": problem.code,
            "detail": problem.detail,
            "received": problem.received,
            "allowed": problem.allowed,
        }
    assert problem is not None
    return {"code": "unreadable_file", "detail": problem.strerror or str(problem)}
