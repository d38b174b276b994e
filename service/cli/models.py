"""`undertone models`."""

from rich.console import Console
from rich.table import Table

from service.cli.common import ModelsOption, failing_in_one_line, settings_of


def list_models(models: ModelsOption = None) -> None:
    """List the models there are, with how well they do."""
    settings = settings_of(models=models)
    with failing_in_one_line():
        from service.models import choose, find_bundles
        from undertone.bundle import read_manifest

        manifests = {m.name: m for m in map(read_manifest, find_bundles(settings))}
        default = choose(settings.default_model, manifests)
    table = Table("model", "version", "emotions", "measured", "licence")
    for name, manifest in sorted(manifests.items()):
        measured = [f"{protocol}: UAR {m.uar:.3f}" for protocol, m in manifest.metrics.items()]
        table.add_row(
            f"{name} (default)" if name == default else name,
            manifest.version,
            ", ".join(manifest.emotions),
            "\n".join(measured),
            manifest.licence,
        )
    Console().print(table)
