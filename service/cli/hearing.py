"""Where answers come from: a model that is loaded here, or a service that is running."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from rich.console import Console

from service.cli.common import fail, failing_in_one_line, settings_of

if TYPE_CHECKING:
    from undertone import client, prediction
    from undertone.client import Client

Answer: TypeAlias = "prediction.Prediction | client.Prediction"

_AT_ONCE: Final = 4
"""Requests under way to a service, which others use too."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """One model, wherever it is.

    Attributes:
        predict: a path to a prediction; raises what `undertone.Classifier.predict` raises.
        emotions: what it tells apart, in the order of its output.
        at_once: how many files are worth asking about at the same time.
    """

    predict: Callable[[Path], Answer]
    emotions: tuple[str, ...]
    at_once: int


@contextmanager
def hearing(
    model: str | None, models: Path | None, url: str | None, key: str | None, *, segments: bool
) -> Iterator[Hearing]:
    """The model to ask, for as long as the block lasts; ends the process where there is none.

    Args:
        model: its name; the default one where left out.
        models: where the bundles are, if none is to be asked for at ``url``.
        url: of a service.
        key: for that service.
        segments: whether answers are to hold the timeline.
    """
    if url is None:
        yield _here(model, models, segments=segments)
        return
    with service_at(url, key) as service:
        with failing_in_one_line():
            chosen = service.model(model or service.models().default)
        yield Hearing(
            lambda path: service.predict(path, model=model, segments=segments),
            chosen.emotions,
            _AT_ONCE,
        )


def service_at(url: str, key: str | None) -> "Client":
    """The client for a service; ends the process if that is no address."""
    from undertone.client import Client

    try:
        return Client(url, key)
    except ValueError as error:
        fail(str(error))


def _here(model: str | None, models: Path | None, *, segments: bool) -> Hearing:
    settings = settings_of(models=models)
    with failing_in_one_line(), Console(stderr=True).status("loading the model"):
        from service.models import load_one

        classifier = load_one(settings, model)
    return Hearing(
        lambda path: classifier.predict(path, segments=segments),
        classifier.manifest.emotions,
        settings.decoders,
    )
