"""Files as somebody without rights sees them: tests may run as root, who has all of them."""

import os
from errno import EACCES
from pathlib import Path

import pytest


def shut(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Let nothing of ``path`` be read, a file or a folder, as ``chmod 000`` does."""

    def refusing(name: str) -> None:
        usual = getattr(Path, name)

        def refused(self: Path, *arguments, **options):
            inside = path in self.parents
            if inside or (self == path and name != "stat"):
                raise PermissionError(EACCES, os.strerror(EACCES), str(self))
            return usual(self, *arguments, **options)

        monkeypatch.setattr(Path, name, refused)

    for name in ("iterdir", "open", "stat"):
        refusing(name)
