"""The audio of a request, from a form or as the body itself; in memory only, never on a disk."""

import math
from typing import Final

from anyio import to_thread
from python_multipart import FormParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, parse_options_header
from starlette.requests import ClientDisconnect, Request

from service.errors import ClientGone, MalformedRequest, UnsupportedMediaType

FIELD: Final = "file"
MAX_FIELDS: Final = 8
"""Fields beside the file that are passed over; a form of thousands is no upload."""


async def read_upload(request: Request) -> bytes | bytearray:
    """The audio that was sent, whole.

    Raises:
        UnsupportedMediaType: the Content-Type is neither a form nor audio.
        MalformedRequest: the form cannot be read, or does not hold exactly one file, ``file``.
        AudioTooLarge, UploadStalled, Overloaded: as `service.limits` says, which times it.
        ClientGone: it does not end.
    """
    raw_type, options = parse_options_header(request.headers.get("content-type"))
    media_type = raw_type.decode("latin-1")
    if media_type == "multipart/form-data":
        boundary = options.get(b"boundary")
        if not boundary:
            raise MalformedRequest("The Content-Type of the multipart form names no boundary.")
        # Not on the event loop: a form made to be slow to read must not keep others waiting.
        return await to_thread.run_sync(file_of_form, await _body(request), boundary)
    if media_type in {"", "application/octet-stream"} or media_type.startswith("audio/"):
        return await _body(request)
    raise UnsupportedMediaType(
        f"A body of {media_type} is not taken. Send a multipart form with the field "
        f"{FIELD!r}, or the WAV file itself as audio/wav.",
        received={"content_type": media_type},
        allowed={"content_type": ["multipart/form-data", "audio/wav"]},
    )


def file_of_form(body: bytes | bytearray, boundary: bytes) -> bytes:
    """The one file of a multipart form.

    Raises:
        MalformedRequest: the form cannot be read, or does not hold exactly one file, ``file``.
    """
    files: list[File] = []
    fields: list[Field] = []
    ended: list[bool] = []

    def on_field(field: Field) -> None:
        fields.append(field)
        if len(fields) > MAX_FIELDS:
            raise FormParserError(f"it has more than {MAX_FIELDS} fields")

    def on_file(file: File) -> None:
        files.append(file)
        if len(files) > 1:
            raise FormParserError("it has more than one file; send them one by one")

    parser = FormParser(
        "multipart/form-data",
        on_field,
        on_file,
        lambda: ended.append(True),
        boundary=boundary,
        config={"MAX_MEMORY_FILE_SIZE": math.inf},
    )
    try:
        parser.write(bytes(body))
        parser.finalize()
    except FormParserError as error:
        raise MalformedRequest(f"The form cannot be read: {error}.") from error
    finally:
        parser.close()
    if not ended:
        raise MalformedRequest("The form is cut off: its closing boundary is missing.")
    if not files or files[0].field_name != FIELD.encode():
        names = [file.field_name for file in files] + [field.field_name for field in fields]
        raise MalformedRequest(
            f"The form has no file in the field {FIELD!r}. With curl: -F {FIELD}=@clip.wav",
            received={"fields": [(name or b"")[:64].decode("latin-1") for name in names]},
            allowed={"fields": [FIELD]},
        )
    file = files[0].file_object
    file.seek(0)
    return file.read()


async def _body(request: Request) -> bytearray:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
    except ClientDisconnect as error:
        raise ClientGone("The connection was closed during the upload.") from error
    return body
