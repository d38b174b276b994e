"""Ask a running service from Python, and wait or not: `Client` and `AsyncClient`.

>>> from undertone.client import Client
>>> with Client("http://localhost:8000") as client:  # doctest: +SKIP
...     client.predict("examples/hello.wav").label
'calm'

Both take what `undertone.Classifier.predict` takes, and answer with values that have the same
names, so that code which asks a model in its own process can ask a service instead. What the
service refuses is raised as the very error that the library raises. No model is loaded here, and
neither TensorFlow nor librosa.
"""

from undertone.client.asynchronous import AsyncClient
from undertone.client.errors import ServiceProblem, ServiceUnavailable, Unreachable
from undertone.client.results import (
    Channel,
    LiveSegment,
    Model,
    Models,
    Prediction,
    Ready,
    Recording,
)
from undertone.client.synchronous import Client
from undertone.prediction import Emotion, Segment, Timing

__all__ = [
    "AsyncClient",
    "Channel",
    "Client",
    "Emotion",
    "LiveSegment",
    "Model",
    "Models",
    "Prediction",
    "Ready",
    "Recording",
    "Segment",
    "ServiceProblem",
    "ServiceUnavailable",
    "Timing",
    "Unreachable",
]
