"""`undertone verify`."""

from pathlib import Path
from typing import Annotated

import typer

from service.cli.common import ModelsOption, fail, failing_in_one_line, settings_of


def verify(
    model: Annotated[
        str | None,
        typer.Argument(help="A name that `undertone models` lists, or the folder of a bundle."),
    ] = None,
    models: ModelsOption = None,
) -> None:
    """Check the files, the graph and the golden sample of a model, the default one if none is named.

    The exit code is 1 if one of them is not as it must be; nothing after it is looked at then.

    Examples:
    undertone verify

    undertone verify ./downloads/somebodys-model
    """
    settings = settings_of(models=models)
    with failing_in_one_line():
        from service.models import choose, find_models
        from undertone.bundle import is_bundle, read_manifest
        from undertone.verify import verify as checks_of

        if model and is_bundle(Path(model)):
            path = Path(model)
        else:
            found = find_models(settings)
            path, _ = found[choose(model or settings.default_model, found)]
        passed = True
        for check in checks_of(path):
            passed = check.passed
            typer.echo(f"{'ok' if passed else 'BAD':<4}{check.name}: {check.detail}")
        if not passed:
            fail(f"{path} must not be used")
        typer.echo(f"{path}\ndigest {read_manifest(path).digest}")
