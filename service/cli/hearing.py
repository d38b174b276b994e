"""Where answers come from: a model that is loaded here, or a service that is running."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from rich.console import Console

from service.cli.common import fail, failing_in_one_line, settings_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from service.settings import Settings
    from undertone import client, prediction
    from undertone.classifier import Classifier
    from undertone.client import Client, Model
    from undertone.limits import Limits
    from undertone.prediction import Segment

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


@dataclass(frozen=True, slots=True)
class Ear:
    """One model that hears sound while it comes, wherever it is.

    Attributes:
        listen: mono chunks and their rate to a segment for each window, and the answer at the end.
        emotions: what it tells apart, in the order of its output.
        model: name and version.
        limits: what a recording has to keep within to be played to it.
    """

    listen: "Callable[[Iterable[NDArray[Any]], int], Iterator[Segment | Answer]]"
    emotions: tuple[str, ...]
    model: str
    limits: "Limits"


@contextmanager
def hearing(
    model: str | None,
    models: Path | None,
    url: str | None,
    key: str | None,
    *,
    segments: bool,
    split_channels: bool,
) -> Iterator[Hearing]:
    """The model to ask about files, for as long as the block lasts; ends the process if there is none.

    Args:
        model: its name; the default one where left out.
        models: where the bundles are, if none is to be asked for at ``url``.
        url: of a service.
        key: for that service.
        segments: whether answers are to hold the timeline.
        split_channels: whether they are to hold each channel for itself.
    """
    if url is None:
        settings = settings_of(models=models)
        classifier = _load(settings, model)
        predict = partial(
            classifier.predict,
            segments=segments,
            split_channels=split_channels,
            limits=settings.limits,
        )
        yield Hearing(predict, classifier.manifest.emotions, settings.crew)
        return
    with service_at(url, key) as service:
        chosen = _chosen(service, model)
        ask = partial(
            service.predict, model=chosen.name, segments=segments, split_channels=split_channels
        )
        yield Hearing(partial(_sent, ask), chosen.emotions, _AT_ONCE)


@contextmanager
def ear(model: str | None, models: Path | None, url: str | None, key: str | None) -> Iterator[Ear]:
    """The model that hears sound while it comes; as `hearing`."""
    if url is None:
        settings = settings_of(models=models)
        classifier = _load(settings, model)
        manifest = classifier.manifest
        name = f"{manifest.name} {manifest.version}"
        listen = partial(_listen, classifier, settings.limits)
        yield Ear(listen, manifest.emotions, name, settings.limits)
        return
    from undertone.limits import Limits

    with service_at(url, key) as service:
        chosen = _chosen(service, model)
        name = f"{chosen.name} {chosen.version}"
        listen = partial(_stream, service, chosen.name)
        yield Ear(listen, chosen.emotions, name, Limits())


def service_at(url: str, key: str | None) -> "Client":
    """The client for a service; ends the process if that is no address."""
    from undertone.client import Client

    try:
        return Client(url, key)
    except ValueError as error:
        fail(str(error))


def _chosen(service: "Client", model: str | None) -> "Model":
    with failing_in_one_line():
        return service.model(model or service.models().default)


def _load(settings: "Settings", model: str | None) -> "Classifier":
    with failing_in_one_line(), Console(stderr=True).status("loading the model"):
        from service.models import load_one

        return load_one(settings, model)


def _sent(ask: Callable[..., Answer], path: Path) -> Answer:
    """The answer of a service; a pipe, which may never end, is read here, as far as a file may be long."""
    if path.is_file():
        return ask(path)
    from undertone import foreign
    from undertone.limits import Limits, check_size

    limits = Limits()
    with path.open("rb") as pipe:
        data = pipe.read(limits.max_bytes + 1)
    check_size(len(data), limits)
    if not foreign.recognises(data[:16]):
        return ask(data)
    decoded = foreign.decode(data)
    answer = ask(decoded.samples, decoded.sample_rate)
    return replace(answer, warnings=(*decoded.warnings, *answer.warnings))


def _listen(
    classifier: "Classifier", limits: "Limits", chunks: "Iterable[NDArray[Any]]", sr: int
) -> Iterator["Segment | Answer"]:
    listener = classifier.listen(sr, limits)
    told = 0
    for chunk in chunks:
        for segment in listener.push(chunk):
            told += 1
            yield segment
    answer = listener.finish()
    yield from (answer.segments or ())[told:]
    yield answer


def _stream(
    service: "Client", model: str, chunks: "Iterable[NDArray[Any]]", sr: int
) -> Iterator["Segment | Answer"]:
    from undertone.client import Ready

    for event in service.stream(chunks, sr, model=model):
        if not isinstance(event, Ready):
            yield event
