"""What can go wrong between the network and the library; `undertone.errors` holds the rest.

UndertoneError
└── ServiceError
    ├── MalformedRequest      the body is not the form that it should be, or it is no HTTP at all
    ├── HeaderTooLarge        address and header are larger than any that make sense
    ├── NothingHere           there is no stream at this address
    ├── InvalidRequest        a parameter is out of range
    ├── UnsupportedMediaType  the Content-Type is neither a form nor audio
    ├── UploadStalled         the client stopped sending
    ├── UpgradeRequired       a stream was asked for without a WebSocket
    ├── ClientGone            the client did not wait for the answer
    ├── Unauthorized          no API key that is known was sent
    ├── OriginNotAllowed      a page opened a stream whose scripts may not ask
    ├── DeadlineExceeded      there was no answer in time
    └── Later                 the same request may go well in a moment
        ├── RateLimited       this key was used more often than it may be
        ├── Overloaded        as many requests as are allowed are under way
        ├── NotReady          no model is loaded, yet or any more
        └── ModelUnavailable  the model that was asked for did not pass its check
"""

from collections.abc import Mapping

from undertone.errors import UndertoneError


class ServiceError(UndertoneError):
    """Something is wrong with a request, or with the state of the service."""

    @property
    def headers(self) -> dict[str, str]:
        """What the answer says beside the problem."""
        return {}


class MalformedRequest(ServiceError):
    """The body is not the form that it should be, or it is no HTTP at all."""

    code = "malformed_request"


class HeaderTooLarge(ServiceError):
    """Address and header are larger than any that make sense."""

    code = "header_too_large"


class NothingHere(ServiceError):
    """There is no stream at this address."""

    code = "not_found"


class InvalidRequest(ServiceError):
    """A parameter is out of range."""

    code = "invalid_request"


class UnsupportedMediaType(ServiceError):
    """The Content-Type is neither a form nor audio."""

    code = "unsupported_media_type"


class UploadStalled(ServiceError):
    """The client stopped sending."""

    code = "upload_stalled"


class UpgradeRequired(ServiceError):
    """A stream was asked for without a WebSocket."""

    code = "upgrade_required"


class ClientGone(ServiceError):
    """The client did not wait for the answer."""

    code = "client_gone"


class Unauthorized(ServiceError):
    """No API key that is known was sent."""

    code = "unauthorized"

    @property
    def headers(self) -> dict[str, str]:
        """How a key is sent."""
        return {"WWW-Authenticate": 'Bearer realm="undertone"'}


class OriginNotAllowed(ServiceError):
    """A page opened a stream whose scripts may not ask."""

    code = "origin_not_allowed"


class DeadlineExceeded(ServiceError):
    """There was no answer in time."""

    code = "deadline_exceeded"


class Later(ServiceError):
    """The same request may go well in a moment."""

    retry_after_s = 1

    @property
    def headers(self) -> dict[str, str]:
        """When it may."""
        return {"Retry-After": str(self.retry_after_s)}


class RateLimited(Later):
    """This key was used more often than it may be."""

    code = "rate_limited"

    def __init__(
        self, detail: str, retry_after_s: int, *, allowed: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(detail, allowed=allowed)
        self.retry_after_s = retry_after_s


class Overloaded(Later):
    """As many requests as are allowed are under way."""

    code = "overloaded"


class NotReady(Later):
    """No model is loaded, yet or any more."""

    code = "not_ready"


class ModelUnavailable(Later):
    """The model that was asked for did not pass its check."""

    code = "model_unavailable"
    retry_after_s = 60  # by then somebody may have restored it, and started the service again
