"""A corpus of your own: a folder for each emotion, or a table.

- ``EMOTION/SPEAKER/clip.wav``, or ``EMOTION/clip.wav`` where nobody knows who speaks;
- ``clips.csv`` with the columns ``path`` (relative to it), ``emotion`` and ``speaker``; others are
  passed over.

Emotions may go by any name that `undertone.emotions` knows.
"""

import csv
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Final

from training.clip import UNKNOWN, Clip, recordings
from training.errors import CorpusError
from undertone.emotions import canonical

TABLE: Final = "clips.csv"
_COLUMNS: Final = ("path", "emotion", "speaker")


def read_own(corpus: str, home: Path) -> tuple[Clip, ...]:
    """The clips below ``home``, by name; from its ``clips.csv`` where there is one.

    Raises:
        CorpusError: there is none, a file is missing, an emotion is unknown, the table cannot be read, or
            two clips have the same name.
    """
    table = home / TABLE
    clips: dict[str, Clip] = {}
    for clip in _from_table(corpus, table) if table.is_file() else _from_folders(corpus, home):
        first = clips.setdefault(clip.name, clip)
        if (first.path, first.speaker, first.emotion) != (clip.path, clip.speaker, clip.emotion):
            raise CorpusError(
                f"{first.path} ({first.speaker}, {first.emotion}) and {clip.path} ({clip.speaker}, "
                f"{clip.emotion}) go by one name: keep one, or rename it"
            )
    if not clips:
        raise CorpusError(
            f"{home} holds no WAV or FLAC file in a folder of its emotion: put them into "
            f"EMOTION/SPEAKER/, or write {TABLE} with the columns {', '.join(_COLUMNS)}"
        )
    return tuple(clips[name] for name in sorted(clips))


def _from_folders(corpus: str, home: Path) -> Iterator[Clip]:
    for path in recordings(home):
        emotion, *people = path.relative_to(home).parts[:-1] or ("",)
        speaker = f"/{people[0].strip()}" if people else UNKNOWN
        yield _clip(corpus, home, path, emotion, corpus + speaker, where=str(path))


def _from_table(corpus: str, table: Path) -> Iterator[Clip]:
    try:
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorpusError(f"{table} is not in UTF-8: save it as CSV UTF-8") from error
    with StringIO(text, newline="") as file:
        rows = csv.DictReader(file, restval="")
        missing = [column for column in _COLUMNS if column not in (rows.fieldnames or ())]
        if missing:
            raise CorpusError(
                f"{table} has no column {', '.join(missing)}; it needs {', '.join(_COLUMNS)}"
            )
        for row in rows:
            where = f"{table}, line {rows.line_num}"
            named, emotion, person = (row[column].strip() for column in _COLUMNS)
            path = table.parent / named
            if not named or not path.is_file():
                raise CorpusError(f"{where}: there is no file {path}")
            speaker = f"{corpus}/{person}" if person else corpus + UNKNOWN
            yield _clip(corpus, table.parent, path, emotion, speaker, where)


def _clip(corpus: str, home: Path, path: Path, emotion: str, speaker: str, where: str) -> Clip:
    try:
        known = canonical(emotion)
    except ValueError as error:
        raise CorpusError(f"{where}: {error}") from error
    name = path.relative_to(home) if path.is_relative_to(home) else path
    return Clip(
        path=path,
        name=name.with_suffix("").as_posix(),
        corpus=corpus,
        speaker=speaker,
        emotion=known,
        statement="",
    )
