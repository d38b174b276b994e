"""What the service says about itself, its models and its state."""

import platform

from fastapi import APIRouter, Response

import undertone
from service import metrics
from service.dependencies import DrainNow, MetricsNow, ServingNow
from service.errors import NotReady
from service.info_schemas import (
    HealthReply,
    ModelReply,
    ModelsReply,
    ProblemKindReply,
    ReadyReply,
    VersionReply,
)
from service.problems import KINDS, responses
from service.schemas import ModelReference
from undertone.bundle import MANIFEST_VERSION
from undertone.spec import SPEC_VERSION

router = APIRouter()
open_router = APIRouter()
"""What needs no API key."""


@router.get("/models", summary="All models", tags=["models"], responses=responses("not_ready"))
async def models(serving: ServingNow) -> ModelsReply:
    """The models that can be asked for."""
    replies = [await model(name, serving) for name in serving.models.manifests]
    return ModelsReply(
        default=serving.models.default,
        models=tuple(replies),
        unavailable=serving.models.unavailable,
    )


@router.get(
    "/models/{name}",
    summary="One model",
    tags=["models"],
    responses=responses("model_not_found", "not_ready", "model_unavailable"),
)
async def model(name: str, serving: ServingNow) -> ModelReply:
    """What one model tells apart, how well, from what it learnt, and under which licence."""
    models = serving.models
    return ModelReply.of(
        models.manifest(name),
        serving.limits,
        default=name == models.default,
        loaded=name in models.loaded,
    )


@open_router.get("/healthz", summary="Alive?", tags=["state"])
async def healthz() -> HealthReply:
    """Whether the process answers at all."""
    return HealthReply(status="ok")


@open_router.get("/readyz", summary="Ready?", tags=["state"], responses=responses("not_ready"))
async def readyz(serving: ServingNow, drain: DrainNow) -> ReadyReply:
    """Whether the models that are loaded at start are verified and warm, and the end is not near."""
    if drain.begun:
        raise NotReady("The service is stopping.")
    manifests = [classifier.manifest for classifier in serving.models.loaded.values()]
    return ReadyReply(status="ready", models=tuple(map(ModelReference.model_validate, manifests)))


@router.get("/version", summary="Version", tags=["state"])
async def version() -> VersionReply:
    """What is running."""
    return VersionReply(
        undertone=undertone.__version__,
        python=platform.python_version(),
        manifest=MANIFEST_VERSION,
        spec=SPEC_VERSION,
    )


@router.get(
    "/metrics",
    summary="Metrics",
    tags=["state"],
    response_class=Response,
    responses={200: {"content": {metrics.MEDIA_TYPE: {"schema": {"type": "string"}}}}},
)
async def prometheus(instruments: MetricsNow) -> Response:
    """Requests, durations, batches and queues, for Prometheus."""
    return Response(instruments.exposition(), media_type=metrics.MEDIA_TYPE)


@router.get("/problems", summary="All kinds of problem", tags=["state"])
async def problems() -> list[ProblemKindReply]:
    """Every kind of problem that may be answered; a problem's `type` points here."""
    return [
        ProblemKindReply(code=code, status=kind.status, title=kind.title, example=kind.example)
        for code, kind in KINDS.items()
    ]
