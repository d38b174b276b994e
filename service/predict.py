"""POST /predict."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic.json_schema import SkipJsonSchema

from service.dependencies import ModelName, ServingNow, only_known_parameters
from service.disconnect import unless_gone
from service.errors import InvalidRequest
from service.problems import responses
from service.schemas import EXAMPLES, PredictionReply, Reply
from service.serving import Serving
from service.upload import FIELD, read_upload
from undertone.classifier import Classifier

router = APIRouter(tags=["predict"])

Segments = Annotated[
    bool,
    Query(description="Whether to tell the emotion over time, too. It changes nothing else."),
]
Channels = Annotated[
    Literal["mix", "split"],
    Query(description="`split`: each channel for itself, too, as for calls recorded in stereo."),
]
TopK = Annotated[
    int | SkipJsonSchema[None],
    Query(
        description="How many emotions to list. Left out: all.",
        json_schema_extra={"minimum": 1},
    ),
]

UPLOAD_PROBLEMS: Final = (
    *("malformed_request", "model_not_found", "upload_stalled", "audio_too_large"),
    *("unsupported_media_type", "invalid_request", "internal_error"),
    *("not_ready", "model_unavailable", "overloaded", "deadline_exceeded"),
)
"""What an upload may be answered, whatever is in it."""

AUDIO_PROBLEMS: Final = (
    *("malformed_audio", "unsupported_audio", "audio_too_long"),
    *("unusable_audio", "too_short", "no_speech", "not_finite"),
)
"""What may be wrong with a recording."""

_BINARY: Final = {"type": "string", "format": "binary"}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "One WAV file, in a form or as it is.",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {FIELD: {**_BINARY, "description": "A WAV file."}},
                }
            },
            "audio/wav": {"schema": _BINARY},
        },
    }
}


# The body is declared by hand, because FastAPI would read a declared form to disk before any of
# our code could refuse it.
@router.post(
    "/predict",
    summary="Hear the emotion in a recording",
    openapi_extra=_BODY,
    dependencies=[Depends(only_known_parameters)],
    response_model=PredictionReply,
    responses={
        200: {"content": {"application/json": {"examples": EXAMPLES}}},
        **responses(*UPLOAD_PROBLEMS, *AUDIO_PROBLEMS),
    },
)
async def predict(
    request: Request,
    serving: ServingNow,
    model: ModelName = None,
    top_k: TopK = None,
    segments: Segments = False,
    channels: Channels = "mix",
) -> Response:
    """Send one WAV file: as the field `file` of a form, or as a body of `audio/wav`.

    ```sh
    curl -F file=@examples/hello.wav http://localhost:8000/predict
    curl -H 'Content-Type: audio/wav' --data-binary @examples/hello.wav http://localhost:8000/predict
    ```

    PCM of 8, 16, 24 or 32 bits, float of 32 or 64, mu-law and A-law are read, at any common rate
    and with up to eight channels. Nothing of it is kept.
    """
    body = await answer(
        request, serving, model=model, top_k=top_k, segments=segments, split=channels == "split"
    )
    return Response(body, media_type="application/json")


async def answer(
    request: Request,
    serving: Serving,
    *,
    model: str | None = None,
    top_k: int | None = None,
    segments: bool = False,
    split: bool = False,
) -> str:
    """The reply to an upload, as JSON; the parameters are those of the route.

    Raises:
        UndertoneError: what the reply is to be instead.
    """
    classifier = await serving.models.get(model)
    check_top_k(top_k, classifier)
    upload = await read_upload(request)
    work = partial(serving.predict, upload, classifier, segments=segments, split=split)
    prediction = await unless_gone(request.receive, work)
    reply = partial(PredictionReply.of, prediction, request.state.request_id, top_k)
    # Ten minutes of segments take 30 ms to write down: others must not wait for that.
    return await serving.in_thread(rendered, reply) if segments else rendered(reply)


def rendered(reply: Callable[[], Reply]) -> str:
    """A reply as JSON, without what was not asked for."""
    return reply().model_dump_json(exclude_unset=True)


def check_top_k(top_k: int | None, classifier: Classifier) -> None:
    """Refuse to list fewer emotions than one, or more than there are.

    Raises:
        InvalidRequest: that is so.
    """
    known = len(classifier.manifest.emotions)
    if top_k is not None and not 1 <= top_k <= known:
        raise InvalidRequest(
            f"top_k is {top_k}; the model knows {known} emotions.",
            received={"top_k": top_k},
            allowed={"top_k": [1, known]},
        )
