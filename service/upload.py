"""The audio of a request, from a form or as the body itself; in memory only, never on a disk."""

import math
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from python_multipart import FormParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, parse_options_header
from starlette.requests import Request
from starlette.types import Receive

from service.errors import ClientGone, MalformedRequest, UnsupportedMediaType

FIELD: Final = "file"
MAX_FIELDS: Final = 8
"""Fields beside the file that are passed over; a form of thousands is no upload."""

MAX_FILES: Final = 32
"""Files in a request for several; together they are no larger than one alone may be."""

PARAMETERS: Final = frozenset({"model", "top_k", "segments", "channels"})
"""What may be asked of an upload, in its address. Elsewhere, or spelt otherwise, it would be missed without
a word."""

_CHUNK: Final = 1024 * 1024

_LONGEST_HEAD: Final = 1024
_PLAIN_HEAD: Final = re.compile(
    rb'(?i:content-disposition): form-data; name="file"; filename="[^"\\\r\n\0]*"'
    rb"(?:\r\n(?i:content-type): [\w.+-]+/[\w.+-]+)?"
)

SHORT: Final = 1024 * 1024
"""Bytes of an upload that may be looked at on the event loop."""

FEW: Final = 16
"""Pieces of an upload that are kept apart; a clip of a few seconds comes in two or three."""

LONGEST_BOUNDARY: Final = 70
"""Characters, as RFC 2046 has it."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A body that was received whole, and what separates its parts, where it is a form."""

    body: bytes | bytearray | memoryview
    boundary: bytes | None = None

    def __len__(self) -> int:
        return len(self.body)

    def at_once(self) -> bytes | bytearray | memoryview | None:
        """The file in it, where that is short and plain to see: the body, or the one part of a form.

        None where the form has to be parsed to be told: `audio` does that.
        """
        return None if len(self.body) > SHORT else self._in_plain_sight()

    def audio(self) -> bytes | bytearray | memoryview:
        """The file in it; call it once, and not on the event loop: a form may be made to be slow to read.

        Raises:
            MalformedRequest: the form cannot be read, or does not hold exactly one file, ``file``.
        """
        file = self._in_plain_sight()
        if file is None:
            assert self.boundary is not None
            assert not isinstance(self.body, memoryview)
            (file,) = files_of_form(_mutable(self.body), self.boundary)
        return file

    def _in_plain_sight(self) -> bytes | bytearray | memoryview | None:
        if self.boundary is None:
            return self.body
        assert not isinstance(self.body, memoryview)
        return _lone_file(self.body, self.boundary)


async def read_upload(request: Request) -> Upload:
    """What was sent, whole; whether there is a file in it is not looked at yet.

    Raises:
        UnsupportedMediaType: the Content-Type is neither a form nor audio.
        MalformedRequest: it is a form without a boundary.
        AudioTooLarge, Overloaded: as `service.limits` says, which also gives up what stands still.
        ClientGone: it does not end.
    """
    media_type, boundary = _content_type(request)
    if (
        boundary is None
        and media_type not in {"", "application/octet-stream"}
        and not media_type.startswith("audio/")
    ):
        raise UnsupportedMediaType(
            f"A body of {media_type} is not taken. Send a multipart form with the field "
            f"{FIELD!r}, or the WAV file itself as audio/wav.",
            received={"content_type": media_type},
            allowed={"content_type": ["multipart/form-data", "audio/wav"]},
        )
    return Upload(await _body(request.receive), boundary)


async def read_form(request: Request) -> tuple[bytearray, bytes]:
    """A form of several files, whole, and its boundary, for `files_of_form`.

    Raises:
        UnsupportedMediaType: the Content-Type is no form.
        MalformedRequest: it has no boundary.
        AudioTooLarge, Overloaded: as `service.limits` says, which also gives up what stands still.
        ClientGone: it does not end.
    """
    media_type, boundary = _content_type(request)
    if boundary is None:
        raise UnsupportedMediaType(
            f"A body of {media_type or 'unknown type'} is not taken. Send a multipart form with a "
            f"field {FIELD!r} for each file.",
            received={"content_type": media_type},
            allowed={"content_type": ["multipart/form-data"]},
        )
    return _mutable(await _body(request.receive)), boundary


def files_of_form(body: bytearray, boundary: bytes, max_files: int = 1) -> list[bytes]:
    """The files of a multipart form, in order.

    Args:
        body: the form; taken away piece by piece, so that nothing lies in memory twice.
        boundary: what separates its parts.
        max_files: how many files it may have.

    Raises:
        MalformedRequest: the form cannot be read, has no file, too many, one that is not in a field
            ``file``, or a field that is a parameter of the address.
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
        if len(files) > max_files:
            advice = "POST /predict/batch takes several" if max_files == 1 else "send them in parts"
            count = "one file" if max_files == 1 else f"{max_files} files"
            raise FormParserError(f"it has more than {count}; {advice}")

    parser = FormParser(
        "multipart/form-data",
        on_field,
        on_file,
        lambda: ended.append(True),
        boundary=boundary,
        config={"MAX_MEMORY_FILE_SIZE": math.inf},
    )
    try:
        while body:
            parser.write(bytes(memoryview(body)[:_CHUNK]))
            del body[:_CHUNK]
        parser.finalize()
    except FormParserError as error:
        raise MalformedRequest(f"The form cannot be read: {error}.") from error
    finally:
        parser.close()
        # It refers to itself by way of this, and would hold what it read until garbage is next looked for.
        parser.parser = None
    if not ended:
        raise MalformedRequest("The form is cut off: its closing boundary is missing.")
    named = {(field.field_name or b"").decode("latin-1") for field in fields}
    if misplaced := sorted(named & PARAMETERS):
        raise MalformedRequest(
            f"The form has the field {misplaced[0]!r}, which belongs into the address: "
            f"?{misplaced[0]}=…",
            received={"fields": misplaced},
            allowed={"fields": [FIELD]},
        )
    if not files or any(file.field_name != FIELD.encode() for file in files):
        names = [file.field_name for file in files] + [field.field_name for field in fields]
        raise MalformedRequest(
            f"The form has no file in the field {FIELD!r}. With curl: -F {FIELD}=@clip.wav",
            received={"fields": [(name or b"")[:64].decode("latin-1") for name in names]},
            allowed={"fields": [FIELD]},
        )
    return [_content(file) for file in files]


def _lone_file(body: bytes | bytearray, boundary: bytes) -> memoryview | None:
    """The file of a form that has one part, written as curl, browsers and HTTP libraries write it.

    Anything else, be it allowed or not, is None. Parsing a form character by character costs as much
    as decoding what is in it.
    """
    opening, closing = b"--%b\r\n" % boundary, b"\r\n--%b--" % boundary
    head_end = body.find(b"\r\n\r\n", len(opening), len(opening) + _LONGEST_HEAD)
    end = body.rfind(closing, -(len(closing) + len(b"\r\n")))
    if head_end < 0 or not body.startswith(opening) or end < head_end + len(b"\r\n\r\n"):
        return None
    if body[end + len(closing) :] not in (b"", b"\r\n") or not _PLAIN_HEAD.fullmatch(
        body, len(opening), head_end
    ):
        return None
    start = head_end + len(b"\r\n\r\n")
    # Where one file fills the part, no other can follow in it: that saves looking for one.
    is_one_file = body.startswith(b"RIFF", start) and end - start == 8 + int.from_bytes(
        body[start + 4 : start + 8], "little"
    )
    if not is_one_file and body.find(closing[: -len(b"--")], head_end, end) >= 0:
        return None
    return memoryview(body)[start:end]


def _content(file: File) -> bytes:
    memory = file.file_object
    assert isinstance(memory, BytesIO), "there is no size from which files are kept elsewhere"
    return memory.getvalue()


def _content_type(request: Request) -> tuple[str, bytes | None]:
    """The media type, and the boundary where it is a form.

    Raises:
        MalformedRequest: it is a form without a boundary, or with one that is too long.
        UnsupportedMediaType: the body is compressed.
    """
    encoding = request.headers.get("content-encoding", "").strip()[:64]
    if encoding.lower() not in {"", "identity"}:
        raise UnsupportedMediaType(
            f"A body in the Content-Encoding {encoding} is not taken. Send it as it is.",
            received={"content_encoding": encoding},
            allowed={"content_encoding": ["identity"]},
        )
    raw_type, options = parse_options_header(request.headers.get("content-type"))
    media_type = raw_type.decode("latin-1")
    if media_type != "multipart/form-data":
        return media_type, None
    boundary = options.get(b"boundary")
    if not boundary or len(boundary) > LONGEST_BOUNDARY:
        raise MalformedRequest(
            "The Content-Type of the multipart form names no boundary, or one of more than "
            f"{LONGEST_BOUNDARY} characters.",
            received={"boundary_length": len(boundary or b"")},
            allowed={"boundary_length": [1, LONGEST_BOUNDARY]},
        )
    return media_type, boundary


def _mutable(body: bytes | bytearray) -> bytearray:
    """The body itself, where it is longer than `SHORT`; of less, a copy may be had."""
    return body if isinstance(body, bytearray) else bytearray(body)


async def _body(receive: Receive) -> bytes | bytearray:
    parts, first, n_bytes = _parts(receive), list[bytes](), 0
    # Each part is let go of before the next is waited for: it would lie in memory twice meanwhile.
    async for part in parts:
        first.append(part)
        n_bytes += len(part)
        del part
        if n_bytes > SHORT or len(first) == FEW:
            break
    else:
        if len(first) == 1:  # as nearly every clip comes: nothing is to be put together
            return first[0]
    # Put together once: what grows is copied again and again. More would be twice in memory, and many small
    # pieces take more of it than what is in them.
    body = bytearray().join(first)
    first.clear()
    async for part in parts:
        body += part
        del part
    return body


async def _parts(receive: Receive) -> AsyncIterator[bytes]:
    """A body as it comes in.

    Raises:
        ClientGone: it does not end.
    """
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone("The connection was closed during the upload.")
        yield message.pop("body", b"")
        more = message.get("more_body", False)
