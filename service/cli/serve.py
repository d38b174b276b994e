"""`undertone serve`."""

from typing import Annotated

import typer

from service.cli.common import ModelsOption, failing_in_one_line, settings_of


def serve(
    host: Annotated[
        str | None, typer.Option(help="The address to listen on. (UNDERTONE_HOST)")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="The port to listen on. (UNDERTONE_PORT)")
    ] = None,
    models: ModelsOption = None,
) -> None:
    """Serve predictions over HTTP.

    Every other setting is an environment variable.

    Examples:
    undertone serve --port 8123

    UNDERTONE_MAX_DURATION_S=60 undertone serve --host 0.0.0.0
    """
    settings = settings_of(host=host, port=port, models=models)
    with failing_in_one_line():
        from service.server import run

        run(settings)
