"""What made a result: the code and the libraries."""

import importlib.metadata
import subprocess
from collections.abc import Sequence
from pathlib import Path


def library_versions(names: Sequence[str]) -> dict[str, str]:
    """Name to version of what is installed here; ``tensorflow`` under whichever name it came."""
    versions = {}
    for name in names:
        for distribution in (name, f"{name}-cpu"):
            try:
                versions[name] = importlib.metadata.version(distribution)
            except importlib.metadata.PackageNotFoundError:
                continue
    return versions


def revision() -> str:
    """The git revision of this code, with ``+changes`` where the working tree differs from it.

    The log of what was tried is no code. ``unknown`` where there is no git, or this is no checkout.
    """
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        except FileNotFoundError:  # a machine without git, as a slim container is
            return ""
        return done.stdout.strip()

    commit = git("rev-parse", "--short=12", "HEAD")
    if not commit:
        return "unknown"
    changed = git("status", "--porcelain", "--", ".", "../undertone", ":(exclude)experiments")
    return f"{commit}+changes" if changed else commit
