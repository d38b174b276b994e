"""What can go wrong in training, as branches of Undertone's tree.

UndertoneError
├── RecipeError     a recipe that is not there, or is none
├── CorpusError     recordings that are not there, or do not belong
├── DownloadError   recordings that could not be fetched, or arrived as something else
└── RunError        results that are not there, or do not belong together
"""

from pathlib import Path

from undertone.errors import AudioError, UndertoneError


class RecipeError(UndertoneError):
    """No such recipe, or it is not one."""

    code = "recipe_error"


class CorpusError(UndertoneError):
    """Recordings that are missing, or that do not belong."""

    code = "corpus_error"


def unreadable(path: Path, error: AudioError) -> CorpusError:
    """What is wrong with one recording of thousands, which the error alone does not name."""
    return CorpusError(f"{path}: {error.detail} Mend it, or take it out.")


class DownloadError(UndertoneError):
    """A corpus that could not be fetched, or that arrived as something else than was published."""

    code = "download_error"


class RunError(UndertoneError):
    """Results of training that are missing, or that do not belong together."""

    code = "run_error"
