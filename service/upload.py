"""The audio of a request, from a form or as the body itself; in memory only, never on a disk."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from service.errors import ClientGone, MalformedRequest, UnsupportedMediaType, UploadStalled

FIELD: Final = "file"
STALLED_S: Final = 20.0
"""Seconds without a byte after which an upload is given up: it keeps a place from others."""

_MAX_TEXT_FIELDS: Final = 8


class _InMemory(MultiPartParser):
    spool_max_size = 0  # SpooledTemporaryFile takes it for "without limit"; ours is service.limits


async def read_upload(request: Request) -> bytes:
    """The audio that was sent, whole.

    Raises:
        UnsupportedMediaType: the Content-Type is neither a form nor audio.
        MalformedRequest: the form cannot be read, or does not hold exactly one file, ``file``.
        AudioTooLarge: it goes on beyond the limit (raised by `service.limits`).
        UploadStalled, ClientGone: it does not end.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "multipart/form-data":
        return await _from_form(request)
    if media_type in {"", "application/octet-stream"} or media_type.startswith("audio/"):
        return b"".join([chunk async for chunk in _chunks(request)])
    raise UnsupportedMediaType(
        f"A body of {media_type} is not taken. Send a multipart form with the field "
        f"{FIELD!r}, or the WAV file itself as audio/wav.",
        received={"content_type": media_type},
        allowed={"content_type": ["multipart/form-data", "audio/wav"]},
    )


async def _from_form(request: Request) -> bytes:
    parser = _InMemory(
        request.headers, _chunks(request), max_files=1, max_fields=_MAX_TEXT_FIELDS
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise MalformedRequest(
            f"The multipart form cannot be read: {error.message}",
            allowed={"files": 1, "field": FIELD},
        ) from error
    file = form.get(FIELD)
    if not isinstance(file, UploadFile):
        raise MalformedRequest(
            f"The form has no file in the field {FIELD!r}. With curl: -F {FIELD}=@clip.wav",
            received={"fields": sorted({name[:64] for name in form})},
            allowed={"field": FIELD},
        )
    return await file.read()


async def _chunks(request: Request) -> AsyncGenerator[bytes, None]:
    stream = request.stream()
    try:
        while True:
            async with asyncio.timeout(STALLED_S):
                chunk = await anext(stream, None)
            if chunk is None:
                return
            yield chunk
    except TimeoutError as error:
        raise UploadStalled(f"Nothing was received for {STALLED_S:g} s.") from error
    except ClientDisconnect as error:
        raise ClientGone("The connection was closed during the upload.") from error
