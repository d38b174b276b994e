"""The process behind `undertone serve`: models first, then the port is opened."""

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from ipaddress import ip_address
from typing import Final

import uvicorn
from fastapi import FastAPI

from service import logs
from service.app import create_app
from service.helpers import Helpers
from service.memory import give_back_early
from service.models import Models, find_models, load_models, verify_default
from service.protocol import PunctualProtocol
from service.settings import Settings, misspelt
from service.supervisor import Supervisor, end_with_supervisor
from service.wire import MAX_FRAME, FirmWebSocket
from undertone.errors import UndertoneError

CUT_OFF_S: Final = 1
"""How long uvicorn waits for what `service.drain` could not finish, and for last requests."""

_log = logging.getLogger("undertone")


class AddressUnavailable(UndertoneError):
    """The address cannot be listened on."""

    code = "address_unavailable"


def run(settings: Settings) -> None:
    """Serve until a signal ends it.

    Raises:
        AddressUnavailable: the address cannot be listened on.
        BundleError, ModelNotFound: a model must not be served, or is not there.
        SystemExit: SIGTERM came, or no worker could start.
    """
    # As process 1 of a container it would not hear of SIGTERM before uvicorn does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    # Bound before the models load, so that a port in use is said at once; it refuses connections
    # until uvicorn listens, which it does once there are models to answer with.
    with _bind(settings.host, settings.port) as bound:
        if settings.workers == 1:
            _serve(settings, bound)
        else:
            _supervise(settings, bound)


def _serve(settings: Settings, bound: socket.socket) -> None:
    with closing(_helpers(settings)) as helpers:  # they start while the models load
        models = load_models(settings)
        config = _config(settings, partial(_app, settings, models, helpers))
        _announce(settings, bound, sorted(models.manifests))
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[bound])


def _supervise(settings: Settings, bound: socket.socket) -> None:
    """Serve from several processes."""
    verify_default(settings)
    names = sorted(find_models(settings))
    supervisor = Supervisor(_config(settings, partial(_app, settings)), sockets=[bound])
    _announce(settings, bound, names)
    supervisor.run()
    if supervisor.failed:
        sys.exit(1)


def _config(settings: Settings, app: Callable[[], FastAPI]) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=True,
        access_log=False,
        http=PunctualProtocol,
        lifespan="on",
        log_config=logs.configuration(settings.log_level),
        loop="auto" if settings.workers == 1 else "service.door:new_loop",
        proxy_headers=False,  # whose address it is, nobody looks at
        server_header=False,
        timeout_graceful_shutdown=CUT_OFF_S,
        timeout_keep_alive=60,  # `service.protocol` waits for the next header, and less long
        workers=settings.workers,
        ws=FirmWebSocket,
        ws_max_size=MAX_FRAME,
        ws_ping_interval=None,  # an answer would stand behind all the sound that waits to be read
        ws_per_message_deflate=False,  # sound does not shrink, and a window costs memory
    )


def _app(
    settings: Settings, models: Models | None = None, helpers: Helpers | None = None
) -> FastAPI:
    """Made in each process that serves."""
    give_back_early()
    end_with_supervisor()
    return create_app(settings, models, _helpers(settings) if helpers is None else helpers)


def _helpers(settings: Settings) -> Helpers:
    """As many as leave room for the event loop and the network, which take less of a clip together."""
    return Helpers(settings.crew // 2, settings.limits)


def _announce(settings: Settings, bound: socket.socket, models: list[str]) -> None:
    host, port = bound.getsockname()[:2]
    fields = {"host": host, "port": port, "models": models}
    if settings.docs:
        fields["page"] = _page(host, port)
    _log.info("starting", extra={"fields": fields})
    for name, meant in misspelt(os.environ).items():
        _log.warning(
            "there is no such setting", extra={"fields": {"setting": name, "meant": meant}}
        )


def _page(host: str, port: int) -> str:
    """What to open in a browser on this machine."""
    address = ip_address(host)
    if address.is_unspecified:
        host = "localhost"
    elif address.version == 6:
        host = f"[{host}]"
    return f"http://{host}:{port}/"


def _bind(host: str, port: int) -> socket.socket:
    try:
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
    except (OSError, UnicodeError) as error:  # a name may be none that can be asked for
        reason = getattr(error, "strerror", None) or error
        raise AddressUnavailable(f"cannot listen on {host}:{port}: {reason}") from error
    return bound
