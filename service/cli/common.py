"""What the commands share: the options that several have, settings, and failing in one line."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer
from typer.core import TyperGroup

from undertone.errors import UndertoneError

if TYPE_CHECKING:
    from service.settings import Settings

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What a disk says that takes no more."""

ModelsOption = Annotated[
    Path | None, typer.Option(help="A folder with bundles, or one bundle. (UNDERTONE_MODELS)")
]
ModelOption = Annotated[str | None, typer.Option(help="A name that `undertone models` lists.")]
UrlOption = Annotated[
    str | None,
    typer.Option(
        help="Ask a running service, such as http://localhost:8000, instead of loading a model."
    ),
]
KeyOption = Annotated[
    str | None,
    typer.Option(help="The key of that service, if it asks for one.", envvar="UNDERTONE_KEY"),
]


def settings_of(**given: object) -> "Settings":
    """The settings of the environment, but for what was given; ends the process if wrong."""
    from pydantic import ValidationError

    from service.settings import Settings, explain

    try:
        return Settings.model_validate({k: v for k, v in given.items() if v is not None})
    except ValidationError as error:
        fail(explain(error))


def shown(name: str | Path) -> str:
    """A name as text that can be written anywhere: bytes that are no UTF-8 stand there in hexadecimal."""
    return os.fsencode(name).decode(errors="backslashreplace")


@contextmanager
def failing_in_one_line() -> Iterator[None]:
    """End the process with the error's own words, where it is one of ours."""
    try:
        yield
    except UndertoneError as error:
        fail(error.detail)


class Commands(TyperGroup):
    """The commands; one that cannot write, as on a full disk, ends in one line, too."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run the one that was asked for."""
        try:
            try:
                return super().main(*arguments, **options)
            finally:
                if sys.stdout is not None:  # closed by whoever called
                    sys.stdout.flush()
        except OSError as error:
            if error.errno not in _FULL:
                raise
            _forget_stdout()
            where = f"{shown(error.filename)}: " if error.filename else ""
            typer.echo(f"undertone: {where}{error.strerror}", err=True)
            sys.exit(1)


def _forget_stdout() -> None:
    """What could not be written is not tried again when the interpreter ends."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def fail(message: str) -> NoReturn:
    """Say what is wrong on stderr, and end with exit code 1."""
    typer.echo(f"undertone: {message}", err=True)
    raise typer.Exit(1)
