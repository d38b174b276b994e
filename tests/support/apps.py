"""Apps for processes of their own, which have to be found by name there."""

from starlette.types import ASGIApp


def refusing() -> ASGIApp:
    """An app that does not start."""

    async def app(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no model"})

    return app
