"""`undertone models`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import typer
from rich.console import Console
from rich.table import Column, Table

from service.cli.common import KeyOption, ModelsOption, UrlOption, failing_in_one_line, settings_of
from service.cli.hearing import service_at

_REST: Final = 50
"""Characters that the other columns need to say anything, each in several lines."""


class _Row(NamedTuple):
    name: str
    default: bool
    version: str
    emotions: tuple[str, ...]
    uar: dict[str, float]
    """By protocol."""
    licence: str


def list_models(url: UrlOption = None, key: KeyOption = None, models: ModelsOption = None) -> None:
    """List the models there are, with how well they do.

    One that cannot be read is said to be so, beside the others; the exit code is 1 if none can.

    Examples:
    undertone models

    undertone models --url http://localhost:8000
    """
    with failing_in_one_line():
        rows = list(_here(models) if url is None else _there(url, key))
    if not rows:
        raise typer.Exit(1)
    # A name is there to be copied: it is never cut nor folded, whatever the other columns come to.
    table = Table(
        Column("model", no_wrap=True),
        *(Column(each, overflow="fold") for each in ("version", "emotions", "measured", "licence")),
    )
    for row in sorted(rows):
        table.add_row(
            f"{row.name} (default)" if row.default else row.name,
            row.version,
            ", ".join(row.emotions),
            "\n".join(f"{protocol}: UAR {uar:.3f}" for protocol, uar in row.uar.items()),
            row.licence,
        )
    longest = max(len(f"{row.name} (default)") for row in rows)
    Console(width=max(Console().width, longest + _REST)).print(table)


def _here(models: Path | None) -> Iterator[_Row]:
    settings = settings_of(models=models)
    from service.models import choose, find_models
    from undertone.errors import BundleError

    found = find_models(settings)
    default = choose(settings.default_model, found)
    for name, (_, manifest) in found.items():
        if isinstance(manifest, BundleError):
            typer.echo(f"undertone: {name} is unavailable: {manifest.detail}", err=True)
            continue
        uar = {protocol: figures.uar for protocol, figures in manifest.metrics.items()}
        facts = manifest.version, manifest.emotions, uar, manifest.licence
        yield _Row(name, name == default, *facts)


def _there(url: str, key: str | None) -> Iterator[_Row]:
    with service_at(url, key) as service:
        for model in service.models().by_name.values():
            uar = {protocol: figures["uar"] for protocol, figures in model.metrics.items()}
            facts = model.version, model.emotions, uar, model.licence
            yield _Row(model.name, model.default, *facts)
