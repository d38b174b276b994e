"""`undertone models`."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from service.cli.common import KeyOption, ModelsOption, UrlOption, failing_in_one_line, settings_of
from service.cli.hearing import service_at


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

    Examples:
    undertone models

    undertone models --url http://localhost:8000
    """
    with failing_in_one_line():
        rows = list(_here(models) if url is None else _there(url, key))
    table = Table("model", "version", "emotions", "measured", "licence")
    for row in sorted(rows):
        table.add_row(
            f"{row.name} (default)" if row.default else row.name,
            row.version,
            ", ".join(row.emotions),
            "\n".join(f"{protocol}: UAR {uar:.3f}" for protocol, uar in row.uar.items()),
            row.licence,
        )
    Console().print(table)


def _here(models: Path | None) -> Iterator[_Row]:
    settings = settings_of(models=models)
    from service.models import choose, find_bundles
    from undertone.bundle import read_manifest

    manifests = {each.name: each for each in map(read_manifest, find_bundles(settings))}
    default = choose(settings.default_model, manifests)
    for name, manifest in manifests.items():
        uar = {protocol: figures.uar for protocol, figures in manifest.metrics.items()}
        facts = manifest.version, manifest.emotions, uar, manifest.licence
        yield _Row(name, name == default, *facts)


def _there(url: str, key: str | None) -> Iterator[_Row]:
    with service_at(url, key) as service:
        for model in service.models().by_name.values():
            uar = {protocol: figures["uar"] for protocol, figures in model.metrics.items()}
            facts = model.version, model.emotions, uar, model.licence
            yield _Row(model.name, model.default, *facts)
