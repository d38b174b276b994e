"""/docs and /redoc, from files of ours: they work where there is no internet."""

from typing import Any, Final

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema
from starlette.responses import FileResponse

from service import batch, messages
from service.page import STATIC
from service.problems import Problem
from service.schemas import EXAMPLES

_PAGE_HEADERS: Final = {
    # Both pages put styles into elements, and ReDoc searches in a worker made from a blob.
    "content-security-policy": "default-src 'none'; script-src 'self'; connect-src 'self'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "worker-src blob:; media-src blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "cache-control": "no-cache",
}

_UNNAMED: Final = (Problem, messages.ReadyMessage, messages.SegmentMessage, messages.SummaryMessage)
"""What no route is declared to return, as FastAPI understands it."""

_WITH_NULLS: Final = {
    ("/predict", "post", "200"): {"examples": EXAMPLES},
    ("/predict/batch", "post", "200"): {"example": batch.EXAMPLE},
    ("/stream", "get", "101"): {"examples": messages.EXAMPLES},
}
"""Examples that are put back as they were declared: FastAPI leaves out what is null in them."""


def install(app: FastAPI) -> None:
    """Give ``app`` its documents, and an OpenAPI document that knows problem details."""
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> dict[str, Any]:
        return app.openapi()

    @app.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(STATIC / "docs.html", headers=_PAGE_HEADERS)

    @app.get("/redoc", include_in_schema=False)
    async def redoc() -> FileResponse:
        return FileResponse(STATIC / "redoc.html", headers=_PAGE_HEADERS)


def _openapi(app: FastAPI) -> dict[str, Any]:
    document = FastAPI.openapi(app)  # the same object each time
    for (path, method, status), declared in _WITH_NULLS.items():
        responses = document["paths"][path][method]["responses"]
        responses[status]["content"]["application/json"].update(declared)
    _, unnamed = models_json_schema(
        [(model, "serialization") for model in _UNNAMED],
        ref_template="#/components/schemas/{model}",
    )
    for name, schema in unnamed["$defs"].items():
        document["components"]["schemas"].setdefault(name, schema)
    return document
