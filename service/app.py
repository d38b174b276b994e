"""The app, made by a factory: nothing is read, loaded or computed when this is imported."""

import gc
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Final

from anyio import to_thread
from fastapi import Depends, FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

import undertone
from service import batch, docs, info, page, predict, problems, stream
from service.drain import Drain, draining_on_sigterm
from service.head import HeadAsGet
from service.helpers import Helpers
from service.keys import KeyInDocuments, Keys
from service.limits import Gate
from service.metrics import Metrics
from service.models import Models, load_models
from service.observe import Observe
from service.origins import Origins
from service.rates import Rates
from service.rehearsal import rehearse
from service.serving import Serving
from service.settings import Settings
from service.shortcut import Shortcut

SWITCH_S: Final = 0.0005
"""How long a thread that computes may hold the interpreter while the event loop wants it.

Python's own 5 ms are waited for at every one of the loop's system calls: under load it could not even
refuse as fast as requests came."""

_UNTRACED: Final[TelemetryConfig] = {"tracing": False, "metrics": False, "logs": False}
"""FastAPI looks up who wants its traces at each request, in the environment: a fiftieth of its price."""

_DESCRIPTION = """\
Send a recording of a person speaking, get the emotion that is heard in the voice, with a
probability for each emotion that the model knows.

It hears how something is said, not what is felt. Models err, and more so on voices, languages and
rooms unlike those they learnt from: `/models/{name}` says how often. Inferring people's emotions at
work or in education is forbidden in the European Union (AI Act, Article 5).
"""


def create_app(
    settings: Settings | None = None,
    models: Models | None = None,
    helpers: Helpers | None = None,
) -> FastAPI:
    """An app, which loads its models when it starts unless they are given.

    Args:
        settings: what an operator can set; read from the environment where left out.
        models: already loaded.
        helpers: already started; the event loop prepares all clips where left out.

    Raises:
        pydantic.ValidationError: the environment sets something to what it must not be.
        BundleError, ModelNotFound: when it starts, if a model must not be served or is not there.
    """
    settings = settings or Settings()
    metrics = Metrics()
    drain = Drain()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        sys.setswitchinterval(SWITCH_S)
        loaded = await to_thread.run_sync(load_models, settings) if models is None else models
        with closing(Helpers(0, settings.limits) if helpers is None else helpers) as hands:
            await hands.open()
            await rehearse(loaded, settings, hands)
            serving = app.state.serving = Serving(loaded, settings, metrics, hands)
            # What was loaded stays: to look through all of it for garbage halts every request meanwhile.
            gc.collect()
            gc.freeze()
            with draining_on_sigterm(drain, settings.grace_s):
                yield
            app.state.serving = None
            serving.close()

    app = FastAPI(
        title="Undertone",
        version=undertone.__version__,
        summary="Hears how something is said.",
        description=_DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_tags=[
            {"name": "predict", "description": "Sound in, emotion out."},
            {"name": "models", "description": "What can be asked for."},
            {"name": "state", "description": "For those who operate the service."},
        ],
        generate_unique_id_function=lambda route: route.name,
        openapi_url=None,
        redirect_slashes=False,  # of a POST, few clients follow one; and a proxy's address is another
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        telemetry=None if _is_traced() else _UNTRACED,
        middleware=_layers(settings, metrics, drain),
    )
    app.state.serving = None
    app.state.drain = drain
    app.state.metrics = metrics
    problems.install(app, docs=settings.docs)
    refusals = {**problems.UNFORESEEN, **problems.responses("unauthorized")}
    keyed = [Depends(KeyInDocuments())] if settings.keys else []
    for routes in (predict.router, batch.router, stream.router):
        app.include_router(
            routes,
            responses={**refusals, **problems.responses("rate_limited")},
            dependencies=keyed,
        )
    app.include_router(stream.elsewhere)
    app.include_router(info.router, responses=refusals, dependencies=keyed)
    app.include_router(info.open_router, responses=problems.UNFORESEEN)
    if settings.docs:
        page.install(app)
        docs.install(app)
    return app


def _is_traced() -> bool:
    """Whether the operator has set up OpenTelemetry, whose settings are variables with this beginning."""
    return any(name.startswith("OTEL_") for name in os.environ)


def _layers(settings: Settings, metrics: Metrics, drain: Drain) -> list[Middleware]:
    """What a request passes on its way to a route, outermost first."""
    layers = [Middleware(Observe, metrics=metrics)]
    if settings.cors_origins:
        layers.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.cors_origins,
                allow_methods=["GET", "HEAD", "POST"],
                allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Request-ID"],
                expose_headers=["RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID"],
            )
        )
    layers.append(Middleware(Origins, allowed=settings.cors_origins))
    if settings.keys:
        rates = Rates(settings.rate_per_minute) if settings.rate_per_minute else None
        layers.append(Middleware(Keys, keys=settings.keys, rates=rates))
    layers.append(Middleware(Gate, settings=settings, drain=drain))
    return [*layers, Middleware(HeadAsGet), Middleware(Shortcut)]
