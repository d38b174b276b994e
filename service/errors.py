"""What can go wrong between the network and the library; `undertone.errors` holds the rest.

UndertoneError
└── ServiceError
    ├── MalformedRequest      the body is not the form that it should be
    ├── InvalidRequest        a parameter is out of range
    ├── UnsupportedMediaType  the Content-Type is neither a form nor audio
    ├── UploadStalled         the client stopped sending
    ├── UpgradeRequired       a stream was asked for without a WebSocket
    ├── ClientGone            the client did not wait for the answer
    ├── Overloaded            as many requests as are allowed are under way
    ├── NotReady              no model is loaded, yet or any more
    └── ModelUnavailable      the model that was asked for did not pass its check
"""

from undertone.errors import UndertoneError


class ServiceError(UndertoneError):
    """Something is wrong with a request, or with the state of the service."""


class MalformedRequest(ServiceError):
    """The body is not the form that it should be."""

    code = "malformed_request"


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


class Overloaded(ServiceError):
    """As many requests as are allowed are under way."""

    code = "overloaded"


class NotReady(ServiceError):
    """No model is loaded, yet or any more."""

    code = "not_ready"


class ModelUnavailable(ServiceError):
    """The model that was asked for did not pass its check."""

    code = "model_unavailable"
