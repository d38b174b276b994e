"""Which files are meant: those that are named, and the recordings in the folders that are."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

SUFFIXES: Final = frozenset(
    {".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff"}
)
"""What a recording in a folder is known by. A file that is named is taken whatever its name is."""


def recordings(paths: Iterable[Path]) -> list[Path]:
    """Every file among ``paths``, and every recording below those that are folders, by name.

    Hidden files and folders are passed over, such as the ``._clip.wav`` that macOS leaves behind.
    """
    return [file for path in paths for file in (_below(path) if path.is_dir() else (path,))]


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir() and not path.is_symlink():  # a link may lead back up
            yield from _below(path)
        elif path.suffix.lower() in SUFFIXES:
            yield path
