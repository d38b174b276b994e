"""Which files are meant: those that are named, and the recordings in the folders that are."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_IFREG, S_ISDIR, S_ISREG
from typing import Final

SUFFIXES: Final = frozenset(
    {".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff"}
)
"""What a recording in a folder is known by. A file that is named is taken whatever its name is."""

STDIN: Final = Path("/dev/stdin")
"""What ``-`` stands for; a file of that name is ``./-``."""


@dataclass(frozen=True, slots=True)
class Source:
    """A recording, or a folder of which nothing is known because it cannot be read.

    Attributes:
        path: where it lies.
        problem: why it cannot be read, where it is such a folder.
    """

    path: Path
    problem: OSError | None = None


def recordings(paths: Iterable[Path]) -> list[Source]:
    """Every file among ``paths``, and every recording below those that are folders, by name.

    Hidden files and folders are passed over, such as the ``._clip.wav`` that macOS leaves behind, and
    in folders whatever is no file, such as a pipe, which nobody may ever write into.
    """
    return [source for path in paths for source in _of(STDIN if path == Path("-") else path)]


def _of(path: Path) -> Iterator[Source]:
    try:
        is_folder = path.is_dir()
    except OSError:  # whoever opens it is told the same
        is_folder = False
    if is_folder:
        yield from _below(path)
    else:
        yield Source(path)


def _below(folder: Path) -> Iterator[Source]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        yield Source(folder, error)
        return
    for path in paths:
        if path.name.startswith("."):
            continue
        try:
            mode = path.stat().st_mode
        except OSError:  # a link that leads nowhere, or a folder that shows names and nothing else
            mode = S_IFREG
        if S_ISDIR(mode):
            if not path.is_symlink():  # a link may lead back up
                yield from _below(path)
        elif S_ISREG(mode) and path.suffix.lower() in SUFFIXES:
            yield Source(path)
