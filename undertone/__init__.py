"""Undertone hears how something is said.

>>> import undertone
>>> model = undertone.load("models/undertone-ravdess-2")
>>> model.predict("examples/hello.wav").label  # doctest: +SKIP
'calm'
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from undertone.classifier import Classifier, load
    from undertone.errors import AudioError, BundleError, UndertoneError
    from undertone.listener import Listener
    from undertone.prediction import Emotion, Prediction, Segment

__all__ = [
    "AudioError",
    "BundleError",
    "Classifier",
    "Emotion",
    "Listener",
    "Prediction",
    "Segment",
    "UndertoneError",
    "__version__",
    "load",
]

_HOMES = {
    "AudioError": "undertone.errors",
    "BundleError": "undertone.errors",
    "UndertoneError": "undertone.errors",
    "Classifier": "undertone.classifier",
    "Emotion": "undertone.prediction",
    "Listener": "undertone.listener",
    "Prediction": "undertone.prediction",
    "Segment": "undertone.prediction",
    "load": "undertone.classifier",
}


if not TYPE_CHECKING:  # or a type checker would take every name for one of them

    def __getattr__(name: str) -> Any:
        """Load the public names when they are asked for: who asks a service needs no ONNX Runtime."""
        from importlib import import_module

        if name in _HOMES:
            return getattr(import_module(_HOMES[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
