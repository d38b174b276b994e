"""Everything that can go wrong, in one tree.

UndertoneError
├── AudioError             something is wrong with the sound that was given
│   ├── MalformedAudio     it claims to be audio of a kind we read, and breaks that kind's own rules
│   ├── UnsupportedAudio   it is something else, or an encoding, rate or channel count we do not take
│   ├── AudioTooLarge      it is more bytes than the limits allow
│   │   └── AudioTooLong   … or more seconds
│   └── UnusableAudio      it was read, and there is nothing in it to hear an emotion in
│       ├── AudioTooShort  too little of it
│       ├── NoSpeech       silence, or sounds that nobody speaks
│       └── NotFinite      samples that are NaN or infinite
├── ModelNotFound          no model of that name
└── BundleError            a model on disk that must not be served
    ├── BundleMissing      a file of it is not there, or is not what it should be
    ├── BundleCorrupt      a file of it is not the one that was exported
    ├── BundleUnsupported  it was written for another version of the manifest or of the features
    └── BundleMismatch     it loads, and no longer reproduces its own golden sample
"""

from collections.abc import Iterator, Mapping
from typing import Final


class UndertoneError(Exception):
    """What every error of Undertone is.

    Attributes:
        code: a stable, machine-readable name; part of the HTTP API.
        detail: what was wrong, and what to do, in a sentence for a person.
        received: the offending values, by name (never audio, never file names).
        allowed: what would have been taken, by name.
    """

    code: str = "error"

    def __init__(
        self,
        detail: str,
        *,
        received: Mapping[str, object] | None = None,
        allowed: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.received = dict(received or {})
        self.allowed = dict(allowed or {})


class AudioError(UndertoneError):
    """Something is wrong with the sound that was given."""

    code = "audio_error"


class MalformedAudio(AudioError):
    """The container breaks its own rules."""

    code = "malformed_audio"


class UnsupportedAudio(AudioError):
    """Not WAV, or a WAV whose encoding, rate or channel count is outside what is read."""

    code = "unsupported_audio"


class AudioTooLarge(AudioError):
    """More bytes than the limits allow."""

    code = "audio_too_large"


class AudioTooLong(AudioTooLarge):
    """More seconds than the limits allow."""

    code = "audio_too_long"


class UnusableAudio(AudioError):
    """Readable, and nothing in it to hear an emotion in."""

    code = "unusable_audio"


class AudioTooShort(UnusableAudio):
    """Too little sound to say anything about."""

    code = "too_short"


class NoSpeech(UnusableAudio):
    """Silence, or sounds that nobody speaks."""

    code = "no_speech"


class NotFinite(UnusableAudio):
    """Float samples that are NaN or infinite."""

    code = "not_finite"


class ModelNotFound(UndertoneError):
    """No model of that name."""

    code = "model_not_found"


class BundleError(UndertoneError):
    """A model on disk that must not be served."""

    code = "bundle_error"


class BundleMissing(BundleError):
    """A file of the bundle is missing, or its manifest cannot be read."""

    code = "bundle_missing"


class BundleCorrupt(BundleError):
    """A file of the bundle is not the one that was exported."""

    code = "bundle_corrupt"


class BundleUnsupported(BundleError):
    """The bundle was written for another version of the manifest or of the features."""

    code = "bundle_unsupported"


class BundleMismatch(BundleError):
    """The bundle loads, and no longer reproduces its golden sample."""

    code = "bundle_mismatch"


def _tree(root: type[UndertoneError]) -> Iterator[type[UndertoneError]]:
    yield root
    for child in root.__subclasses__():
        yield from _tree(child)


BY_CODE: Final = {kind.code: kind for kind in _tree(UndertoneError)}
"""Those of this module, to make again what another process raised."""
