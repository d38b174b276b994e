"""What routes ask for."""

from typing import Annotated

from fastapi import Depends, Query, Request
from pydantic.json_schema import SkipJsonSchema

from service.drain import Drain
from service.errors import InvalidRequest, NotReady
from service.metrics import Metrics
from service.serving import Serving
from service.upload import PARAMETERS


# Coroutines, because FastAPI hands anything else to a thread.
async def serving_now(request: Request) -> Serving:
    """The loaded models.

    Raises:
        NotReady: there are none.
    """
    serving: Serving | None = request.app.state.serving
    if serving is None:
        raise NotReady("The service is starting or stopping. Try again in a moment.")
    return serving


async def only_known_parameters(request: Request) -> None:
    """Refuse an upload whose address asks for what there is not.

    Raises:
        InvalidRequest: it does.
    """
    if unknown := sorted(set(request.query_params) - PARAMETERS):
        known = sorted(PARAMETERS)
        raise InvalidRequest(
            f"There is no parameter {unknown[0][:64]!r}; there are {', '.join(known)}.",
            received={"parameters": [name[:64] for name in unknown[:8]]},
            allowed={"parameters": known},
        )


async def _metrics(request: Request) -> Metrics:
    metrics: Metrics = request.app.state.metrics
    return metrics


async def _drain(request: Request) -> Drain:
    drain: Drain = request.app.state.drain
    return drain


ServingNow = Annotated[Serving, Depends(serving_now)]
"""The loaded models; a 503 where there are none."""

DrainNow = Annotated[Drain, Depends(_drain)]
"""Whether the process is ending."""

MetricsNow = Annotated[Metrics, Depends(_metrics)]
"""The app's instruments."""

ModelName = Annotated[
    str | SkipJsonSchema[None],
    Query(description="A name from `/models`. Left out: the default model."),
]
