"""The process behind `undertone serve`: models first, then the port is opened."""

import logging
import socket
from contextlib import suppress
from typing import Final

import uvicorn

from service import logs
from service.app import create_app
from service.models import load_models
from service.settings import Settings
from service.wire import MAX_FRAME, FirmWebSocket

GRACE_S: Final = 8
"""How long requests may go on after SIGTERM; `docker stop` kills after ten seconds."""

_log = logging.getLogger("undertone")


def run(settings: Settings) -> None:
    """Serve until a signal ends it.

    Raises:
        OSError: the address cannot be listened on.
        BundleError, ModelNotFound: a model must not be served, or is not there.
    """
    # Bound before the models load, so that a port in use is said at once; it refuses connections
    # until uvicorn listens, which it does once there are models to answer with.
    with _bind(settings.host, settings.port) as bound:
        models = load_models(settings)
        config = uvicorn.Config(
            create_app(settings, models),
            access_log=False,
            lifespan="on",
            log_config=logs.configuration(settings.log_level),
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
            ws=FirmWebSocket,
            ws_max_size=MAX_FRAME,
            ws_per_message_deflate=False,  # sound does not shrink, and a window costs memory
        )
        host, port = bound.getsockname()[:2]
        names = list(models.manifests)
        _log.info("starting", extra={"fields": {"host": host, "port": port, "models": names}})
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[bound])


def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound
