"""A recording and what its corpus says of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from training.errors import CorpusError

UNKNOWN: Final = "/unknown"
"""How the speaker of a clip ends whose corpus does not say who speaks."""

_SUFFIXES: Final = frozenset({".wav", ".flac"})


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording and what its corpus says of it.

    Attributes:
        path: where it lies.
        name: its file name as published, without the suffix; unique within its corpus.
        corpus: ``ravdess``, ``ravdess-song``, ``tess``, or the name of one of your own.
        speaker: ``ravdess/01`` to ``ravdess/24`` in speech and song alike, ``tess/OAF`` (the older
            speaker) or ``tess/YAF``; ``mine/anna``, or ``mine/unknown`` where nobody says.
        emotion: by the name that `undertone.emotions` gives it.
        statement: the words that are spoken, where the corpus says.
        intensity: of the emotion, where the corpus varies it.
        repetition: 1 or 2, where the corpus repeats.
    """

    path: Path
    name: str
    corpus: str
    speaker: str
    emotion: str
    statement: str
    intensity: Literal["normal", "strong"] | None = None
    repetition: int | None = None


def recordings(home: Path) -> Iterator[Path]:
    """The WAV and FLAC files below ``home``, those nearest to it first; hidden ones are passed over.

    Raises:
        CorpusError: a name is not in UTF-8, which no table of predictions could hold.
    """
    for path in sorted(home.rglob("*"), key=lambda path: (len(path.parts), path)):
        hidden = any(part.startswith(".") for part in path.relative_to(home).parts)
        if path.suffix.lower() in _SUFFIXES and path.is_file() and not hidden:
            try:
                str(path).encode()
            except UnicodeEncodeError as error:
                raise CorpusError(
                    f"the name of {str(path)!r} is not in UTF-8: rename it"
                ) from error
            yield path
