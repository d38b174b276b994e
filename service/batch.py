"""POST /predict/batch: several files in one request."""

import asyncio
from functools import partial
from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response

from service.dependencies import ModelName, ServingNow, only_known_parameters
from service.disconnect import unless_gone
from service.predict import UPLOAD_PROBLEMS, Channels, Segments, TopK, check_top_k, rendered
from service.problems import problem_details, responses
from service.schemas import EXAMPLE as PREDICTION
from service.schemas import BatchReply, PredictionReply, ResultReply
from service.upload import FIELD, MAX_FILES, Upload, files_of_form, read_form
from undertone.errors import UndertoneError

router = APIRouter(tags=["predict"])

AT_ONCE: Final = 4
"""Files of one request that are heard at the same time: enough to share batches, few enough to leave
room for others."""

_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": f"Up to {MAX_FILES} WAV files; together no larger than one alone may be.",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {
                        FIELD: {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": MAX_FILES,
                            "items": {"type": "string", "format": "binary"},
                            "description": "WAV files, each in a field of this name.",
                        }
                    },
                }
            }
        },
    }
}
_REQUEST_ID: Final = PREDICTION["request_id"]
EXAMPLE: Final = {
    "request_id": _REQUEST_ID,
    "results": [
        {"file": 0, "prediction": PREDICTION, "problem": None},
        {
            "file": 1,
            "prediction": None,
            "problem": problem_details("too_short", _REQUEST_ID).model_dump(),
        },
    ],
}
"""A sentence, and something that is none."""


@router.post(
    "/predict/batch",
    summary="Hear the emotion in several recordings",
    openapi_extra=_BODY,
    dependencies=[Depends(only_known_parameters)],
    response_model=BatchReply,
    responses={
        200: {"content": {"application/json": {"example": EXAMPLE}}},
        **responses(*UPLOAD_PROBLEMS),
    },
)
async def predict_batch(
    request: Request,
    serving: ServingNow,
    model: ModelName = None,
    top_k: TopK = None,
    segments: Segments = False,
    channels: Channels = "mix",
) -> Response:
    """Send several WAV files, each as a field `file` of one form.

    ```sh
    curl -F file=@one.wav -F file=@two.wav http://localhost:8000/predict/batch
    ```

    A file that cannot be heard keeps no other from being answered: its result is the problem that
    `/predict` would have answered. Results come in the order of the files. What is asked for in the
    query holds for all of them.
    """
    classifier = await serving.models.get(model)
    check_top_k(top_k, classifier)
    files = await serving.in_thread(files_of_form, *await read_form(request), MAX_FILES)
    request_id = request.state.request_id
    turns = asyncio.Semaphore(AT_ONCE)

    async def result(number: int) -> ResultReply:
        async with turns:
            try:
                prediction = await serving.predict(
                    Upload(files[number]), classifier, segments=segments, split=channels == "split"
                )
            except UndertoneError as error:
                problem = problem_details(error, request_id)
                return ResultReply(file=number, prediction=None, problem=problem)
        reply = await serving.in_thread(PredictionReply.of, prediction, request_id, top_k)
        return ResultReply(file=number, prediction=reply, problem=None)

    async def results() -> list[ResultReply]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(result(number)) for number in range(len(files))]
        return [task.result() for task in tasks]

    reply = partial(
        BatchReply,
        request_id=request_id,
        results=tuple(await unless_gone(request.receive, results)),
    )
    body = await serving.in_thread(rendered, reply)
    return Response(body, media_type="application/json")
