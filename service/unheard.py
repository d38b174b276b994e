"""What is answered to bytes of which no request comes: a problem, as to everything else."""

import logging
from collections.abc import Iterable
from http import HTTPStatus

from service.observe import REQUEST_ID, SAFE_HEADERS, new_id
from service.problems import problem
from undertone.errors import UndertoneError

_log = logging.getLogger("undertone.access")


def answer(error: UndertoneError, usual: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A whole answer in HTTP/1.1, after which the connection ends; it is written into the log, too.

    Args:
        error: what is wrong.
        usual: headers that the server gives to every answer.
    """
    request_id = new_id()
    found = problem(error, request_id)
    fields = {"request_id": request_id, "route": "other", "status": found.status_code}
    _log.info("turned away", extra={"fields": fields})
    headers = [
        *usual,
        *found.raw_headers,
        *SAFE_HEADERS,
        (REQUEST_ID.encode(), request_id.encode()),
        (b"connection", b"close"),
    ]
    status = HTTPStatus(found.status_code)
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}".encode(),
        *(b"%b: %b" % header for header in headers),
    ]
    return b"\r\n".join([*lines, b"", bytes(found.body)])
