"""Problems of the service as exceptions: those of the library where it has one, or one of these.

UndertoneError
├── Unreachable             nothing answers there, or not in time, or it is not Undertone
└── ServiceProblem          a problem that the library has no class for; ``code`` says which one
    └── ServiceUnavailable  429 or 503, and it still was after the last try
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from undertone.errors import BY_CODE, UndertoneError


class Unreachable(UndertoneError):
    """Nothing answers there, or not in time, or it is not Undertone."""

    code = "unreachable"


class ServiceProblem(UndertoneError):
    """A problem of the service that is about no recording and no model.

    Attributes:
        code: the service's; ``GET /problems`` lists them all.
        status: of the HTTP answer; a stream's problems have that of the same code.
    """

    def __init__(
        self,
        detail: str,
        *,
        code: str = "unexpected_answer",
        status: int = 500,
        received: Mapping[str, object] | None = None,
        allowed: Mapping[str, object] | None = None,
    ) -> None:
        # Nothing but ``detail`` is required: copies and pickles are made of that, and filled afterwards.
        super().__init__(detail, received=received, allowed=allowed)
        self.code = code
        self.status = status


class ServiceUnavailable(ServiceProblem):
    """The service had no room for the request: overloaded, starting or stopping, or a rate limit."""


BUSY: Final = frozenset({429, 503})
"""Statuses at which the same request may well be answered a moment later."""


@contextmanager
def understanding(said: object) -> Iterator[None]:
    """Say in one way that what answers is not Undertone, where it is read as if it were.

    Args:
        said: who said what is read, as the subject of a sentence.

    Raises:
        Unreachable: it has another shape.
    """
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise Unreachable(
            f"{said}, and not as Undertone does. Check the address, and what stands before the service."
        ) from error


def error_of(problem: Mapping[str, Any], status: int | None = None) -> UndertoneError:
    """The exception for problem details.

    What the log of the service knows the request by is a note of it (``__notes__``).

    Args:
        problem: after RFC 9457, as the service sends them.
        status: of the answer, where the details may lack it.
    """
    status = status or int(problem.get("status", 500))
    code = str(problem.get("code", "unexpected_answer"))
    detail = str(problem.get("detail") or f"The service answered with status {status}.")
    received, allowed = problem.get("received"), problem.get("allowed")
    error: UndertoneError
    if code in BY_CODE:
        error = BY_CODE[code](detail, received=received, allowed=allowed)
    else:
        kind = ServiceUnavailable if status in BUSY else ServiceProblem
        error = kind(detail, code=code, status=status, received=received, allowed=allowed)
    if identifier := problem.get("request_id"):
        error.add_note(f"request_id: {identifier}")
    return error
