"""Every error as RFC 9457 problem details: one table from an error's code to a status."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from service.errors import InvalidRequest, Later, ServiceError
from undertone.errors import UndertoneError

MEDIA_TYPE: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """What all problems of one code have in common.

    Attributes:
        status: of the HTTP answer.
        title: what it is, the same each time.
        example: what ``detail`` may say.
    """

    status: int
    title: str
    example: str


KINDS: Final[Mapping[str, Kind]] = {
    "malformed_audio": Kind(
        400,
        "The audio breaks the rules of its format",
        "The WAV file has no data chunk: it was cut off, or its chunk lengths are wrong.",
    ),
    "malformed_request": Kind(
        400,
        "The body is not the form that it should be",
        "The form has no file in the field 'file'. With curl: -F file=@clip.wav",
    ),
    "unauthorized": Kind(
        401,
        "No API key that is known",
        "This needs an API key, and none that is known was sent. "
        "Send it as 'Authorization: Bearer KEY'.",
    ),
    "origin_not_allowed": Kind(
        403,
        "Not from this page",
        "Scripts of this page's origin may not open streams here. "
        "The operator can allow it, with UNDERTONE_CORS_ORIGINS.",
    ),
    "model_not_found": Kind(
        404,
        "No model of that name",
        "There is no model 'hal-9000'; known are undertone-ravdess-2.",
    ),
    "not_found": Kind(404, "Nothing here", "There is nothing at this address; see /docs."),
    "method_not_allowed": Kind(
        405, "Not with this method", "This address does not take GET; it takes POST."
    ),
    "upload_stalled": Kind(
        408, "Too slow", "The upload stood still, or fell behind 16 KiB/s, for 20 s."
    ),
    "audio_too_large": Kind(
        413, "Too many bytes", "The upload is larger than 26214400 bytes. Send a shorter excerpt."
    ),
    "audio_too_long": Kind(
        413, "Too many seconds", "The recording lasts 700.0 s; at most 600 s are taken."
    ),
    "unsupported_audio": Kind(
        415, "Not a WAV file that is read", "This looks like MP3, not like WAV. Convert it first."
    ),
    "unsupported_media_type": Kind(
        415,
        "Neither a form nor audio",
        "A body of application/json is not taken. Send a multipart form, or audio/wav.",
    ),
    "unusable_audio": Kind(
        422, "Nothing to hear an emotion in", "There is nothing in the recording to hear."
    ),
    "too_short": Kind(422, "Too short", "The recording lasts 20 ms; at least 100 ms are needed."),
    "no_speech": Kind(
        422,
        "Nobody speaks",
        "Nobody speaks in the recording: it sounds like tones, music or noise.",
    ),
    "not_finite": Kind(
        422, "Samples that are no numbers", "The recording holds samples that are NaN or infinite."
    ),
    "invalid_request": Kind(
        422, "A parameter is out of range", "top_k is 9; the model knows 8 emotions."
    ),
    "upgrade_required": Kind(
        426, "Only as a WebSocket", "A stream is a WebSocket: open ws://…/stream, see docs/api.md."
    ),
    "rate_limited": Kind(
        429,
        "Too often",
        "This key may be used 60 times a minute. Try again in 1 s.",
    ),
    "header_too_large": Kind(
        431,
        "Too much before the body",
        "The address and the header are larger than 65536 bytes. Send sound in the body.",
    ),
    "client_gone": Kind(
        499, "The client did not wait", "The connection was closed before the answer was there."
    ),
    "internal_error": Kind(
        500,
        "A fault of the service",
        "Something went wrong on our side. The log has it under this request_id.",
    ),
    "not_ready": Kind(503, "No model is loaded", "The service is starting or stopping."),
    "model_unavailable": Kind(
        503,
        "A model that is not served",
        "The model 'undertone-ravdess-2' did not pass its check and is not served; the log says why.",
    ),
    "overloaded": Kind(
        503,
        "Too many requests at once",
        "32 requests are in work and 64 wait, or what is being uploaded fills the memory. "
        "Try again in a moment.",
    ),
    "deadline_exceeded": Kind(
        504,
        "No answer in time",
        "There was no answer within 30 s. "
        "Try again when there is less to do, or send a shorter recording.",
    ),
}
"""By code, ordered by status. Whatever has no row here is a fault of the service."""


_SCHEMA: Final = {"$ref": "#/components/schemas/Problem"}

UNFORESEEN: Final[dict[int | str, dict[str, Any]]] = {
    "default": {"description": "Any other problem", "content": {MEDIA_TYPE: {"schema": _SCHEMA}}}
}
"""What every route declares in OpenAPI, as FastAPI's ``responses``."""


class Problem(BaseModel):
    """Problem details, after RFC 9457."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    type: str
    """A reference to where the code is explained."""
    title: str
    """What kind of problem it is; the same for each code."""
    status: int
    """The HTTP status, again."""
    detail: str
    """What is wrong with this very request, and what to do."""
    code: str
    """A stable name to tell problems apart by."""
    received: dict[str, Any] = Field(default_factory=dict)
    """The values that are wrong, by name."""
    allowed: dict[str, Any] = Field(default_factory=dict)
    """The values that would have been taken, by name."""
    request_id: str
    """What the log knows this request by."""


def problem(error: UndertoneError, request_id: str) -> JSONResponse:
    """The answer that says what ``error`` is."""
    headers = error.headers if isinstance(error, ServiceError) else None
    return _response(error.code, error.detail, request_id, error.received, error.allowed, headers)


def internal_error(request_id: str) -> JSONResponse:
    """The answer to a request at which the service failed: nothing of why, that is in the log."""
    return _response("internal_error", KINDS["internal_error"].example, request_id)


def problem_details(error: UndertoneError | str, request_id: str) -> Problem:
    """The details of ``error``, or of the example of a code."""
    if isinstance(error, str):
        return _body(error, KINDS[error].example, request_id)
    return _body(error.code, error.detail, request_id, error.received, error.allowed)


def problem_message(error: UndertoneError, request_id: str) -> str:
    """The same as a message of a WebSocket: JSON, in which ``type`` says that it is a problem.

    What an answer says in ``Retry-After``, it says in ``retry_after_s``.
    """
    later = {"retry_after_s": error.retry_after_s} if isinstance(error, Later) else {}
    details = problem_details(error, request_id).model_dump()
    return json.dumps({**details, **later, "type": "problem"})


def internal_error_message(request_id: str) -> str:
    """The message to a stream at which the service failed: nothing of why, that is in the log."""
    details = problem_details("internal_error", request_id)
    return json.dumps({**details.model_dump(), "type": "problem"})


def close_code(error: UndertoneError) -> int:
    """What a WebSocket is closed with after ``error``: 4000 and its status, 1011 for a fault of ours."""
    status = KINDS[error.code].status if error.code in KINDS else 500
    return 1011 if status == 500 else 4000 + status


def install(app: FastAPI, *, docs: bool = True) -> None:
    """Make ``app`` answer every error with problem details.

    Args:
        app: which.
        docs: whether it has documents to point to.
    """
    app.state.nothing_here = (
        KINDS["not_found"].example if docs else "There is nothing at this address."
    )
    app.add_exception_handler(UndertoneError, _undertone_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)


def responses(*codes: str) -> dict[int | str, dict[str, Any]]:
    """What a route declares in OpenAPI to answer these problems, as FastAPI's ``responses``."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        kind = KINDS[code]
        declared = by_status.setdefault(
            kind.status,
            {
                "description": HTTPStatus(kind.status).phrase,
                "content": {MEDIA_TYPE: {"schema": _SCHEMA, "examples": {}}},
            },
        )
        example = problem_details(code, "0b6d2f0c9a574f0e8d3f6a1c5e7b9d24")
        declared["content"][MEDIA_TYPE]["examples"][code] = {"value": example.model_dump()}
    return by_status


def _body(
    code: str,
    detail: str,
    request_id: str,
    received: Mapping[str, Any] | None = None,
    allowed: Mapping[str, Any] | None = None,
) -> Problem:
    kind = KINDS[code]
    return Problem(
        type=f"/problems#{code}",
        title=kind.title,
        status=kind.status,
        detail=detail,
        code=code,
        received=dict(received or {}),
        allowed=dict(allowed or {}),
        request_id=request_id,
    )


def _response(
    code: str,
    detail: str,
    request_id: str,
    received: Mapping[str, Any] | None = None,
    allowed: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    body = _body(code, detail, request_id, received, allowed)
    return JSONResponse(body.model_dump(), body.status, headers, MEDIA_TYPE)


async def _undertone_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, UndertoneError)
    if error.code not in KINDS:
        raise error
    return problem(error, request.state.request_id)


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # Locations are ("query", name, …); of several errors about one value, the first says most.
    wrong = {str(each["loc"][1]): each for each in reversed(error.errors())}
    return problem(
        InvalidRequest(
            "; ".join(f"{name}: {each['msg']}" for name, each in wrong.items()) + ".",
            received={name: each["input"] for name, each in wrong.items()},
            allowed={name: _allowed(each) for name, each in wrong.items()},
        ),
        request.state.request_id,
    )


def _allowed(wrong: Mapping[str, Any]) -> object:
    """What would have been taken in the place of a parameter that pydantic refused."""
    kind = str(wrong["type"])
    if kind == "literal_error":
        return re.findall(r"'([^']*)'", wrong["ctx"]["expected"])
    if kind.startswith("bool"):
        return [True, False]
    return "a whole number from 1 on" if kind.startswith("int") else "text"


async def _http_exception(request: Request, error: Exception) -> JSONResponse:
    """What the router itself refuses: an address, or a method, that it does not know."""
    assert isinstance(error, HTTPException)
    identifier = request.state.request_id
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "").split(", ")
        if "GET" in allowed and "HEAD" not in allowed:
            allowed.append("HEAD")  # `service.head` sees to that
        methods = ", ".join(allowed)
        return _response(
            "method_not_allowed",
            f"This address does not take {request.method}; it takes {methods}.",
            identifier,
            {"method": request.method},
            {"method": allowed},
            {"Allow": methods},
        )
    if error.status_code == 404:
        return _response("not_found", request.app.state.nothing_here, identifier)
    return _response("malformed_request", str(error.detail), identifier, headers=error.headers)
