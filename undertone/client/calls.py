"""What is asked and how an answer is taken, without waiting for either: both clients share it."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import quote

import httpx
import numpy as np
from numpy.typing import NDArray

from undertone import foreign, pcm, wav
from undertone.client.errors import BUSY, Unreachable, error_of, understanding
from undertone.client.results import Channel, Prediction, prediction_of
from undertone.errors import UndertoneError
from undertone.limits import Limits, check_format
from undertone.pcm import Encoding
from undertone.wav import Notice

Source: TypeAlias = str | os.PathLike[str] | bytes | NDArray[Any]
"""A path, the bytes of a WAV file, or samples [n] or [n, channels]."""

Answer = TypeVar("Answer")
Noted = TypeVar("Noted", Prediction, Channel)

TIMEOUT_S: Final = 60.0
RETRIES: Final = 3

LONGEST_PAUSE_S: Final = 10.0
"""A service that asks for more than this is not waited for: its problem is raised."""

_WAV: Final = "audio/wav"

_HELD: Final = Limits(
    max_bytes=2**30, max_duration_s=3600.0, min_sr=1, max_sr=2**20, max_channels=256
)
"""What a header can say, and what is decoded here; how much of it is taken, the service knows."""

_DECODING_S: Final = 60.0
"""For an hour of sound, where the library takes 10 s for the ten minutes that it hears."""

_EXACT: Final[Mapping[str, Encoding]] = {
    "pcm_s8": "pcm_s16",
    "pcm_u8": "pcm_s16",
    "pcm_16": "pcm_s16",
    "pcm_24": "pcm_s24",
}
"""What holds the samples of a decoded file as they were, in the fewest bits, by soundfile's name of them."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request, but for the address."""

    method: str
    path: str
    params: Mapping[str, str | int | bool] = field(default_factory=dict)
    content: bytes | None = None
    files: Sequence[tuple[str, tuple[str, bytes, str]]] | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """As `httpx.Client.request` takes them."""
        headers = {"Content-Type": _WAV} if self.content is not None else {}
        return {
            "method": self.method,
            "url": self.path,
            "params": self.params,
            "content": self.content,
            "files": self.files,
            "headers": headers,
        }


@dataclass(frozen=True, slots=True)
class Sent:
    """A recording as the service gets it.

    Attributes:
        data: a WAV file.
        warnings: what decoding told here, which nothing in the file says any more.
    """

    data: bytes
    warnings: tuple[Notice, ...] = ()

    def heard(self, reply: Any) -> Prediction:
        """What a reply says of it, with what was told here; each channel that is heard has that, too."""
        prediction = self._noted(prediction_of(reply))
        if not prediction.channels:
            return prediction
        channels = (self._noted(each) if each.label else each for each in prediction.channels)
        return replace(prediction, channels=tuple(channels))

    def _noted(self, answer: Noted) -> Noted:
        return replace(answer, warnings=(*self.warnings, *answer.warnings))


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of recordings; what is left out, the service decides."""

    model: str | None = None
    top_k: int | None = None
    segments: bool = False
    split_channels: bool = False

    @property
    def query(self) -> dict[str, str | int | bool]:
        """As an address has it; a number that is 0 was asked for, too."""
        channels = "split" if self.split_channels else None
        asked = {
            "model": self.model,
            "top_k": self.top_k,
            "segments": self.segments,
            "channels": channels,
        }
        return {
            name: value for name, value in asked.items() if value is not None and value is not False
        }


def predicting(recording: Sent, asked: Asked) -> Call:
    """The call for one recording."""
    return Call("POST", "/predict", asked.query, content=recording.data)


def predicting_batch(recordings: Sequence[Sent], asked: Asked) -> Call:
    """The call for several recordings. Their names stay here.

    Raises:
        ValueError: there are none.
    """
    if not recordings:
        raise ValueError("there is nothing to hear: a batch holds at least one recording")
    files = [
        ("file", (f"{index}.wav", recording.data, _WAV))
        for index, recording in enumerate(recordings)
    ]
    return Call("POST", "/predict/batch", asked.query, files=files)


def model(name: str) -> Call:
    """The call for what one model is."""
    return Call("GET", f"/models/{quote(name, safe='')}")


def sent(source: Source, sr: int | None = None) -> Sent:
    """What to send for ``source``: a WAV file. Other formats are decoded here, as the library does.

    The file holds what was decoded bit by bit, as integers where those were stored and as floats otherwise.
    Whether that is too much, the service decides.

    Raises:
        AudioError: a FLAC, Ogg, MP3 or AIFF file that cannot be read, or is larger than 1 GiB or longer
            than an hour, or samples that no WAV file holds.
        OSError: there is no such file.
        TypeError: samples without their rate, or a rate for something that states its own.
    """
    if isinstance(source, np.ndarray):
        if sr is None:
            raise TypeError("samples need their rate: predict(samples, sr=16000)")
        samples = pcm.to_float(source, pcm.array_encoding(source))
        check_format(sr, 1 if samples.ndim == 1 else samples.shape[1], _HELD)
        return Sent(wav.encode(samples, int(sr), "float32"))
    if sr is not None:
        raise TypeError("sr is for samples only: a file states its own rate")
    if isinstance(source, bytes):
        return Sent(source)
    data = Path(source).read_bytes()
    if not foreign.recognises(data[:16]):
        return Sent(data)
    decoded = foreign.decode(data, _DECODING_S, limits=_HELD)
    _, _, subtype = decoded.encoding.partition("_")
    held = _EXACT.get(subtype, "float32")
    return Sent(wav.encode(decoded.samples, decoded.sample_rate, held), decoded.warnings)


def results_of(
    recordings: Sequence[Sent], reply: Mapping[str, Any]
) -> list[Prediction | UndertoneError]:
    """What a reply of ``/predict/batch`` says of each recording, in the order in which they were sent."""
    results = sorted(reply["results"], key=lambda each: int(each["file"]))
    return [
        error_of(each["problem"])
        if each["problem"]
        else recording.heard({"request_id": reply["request_id"], **each["prediction"]})
        for recording, each in zip(recordings, results, strict=True)
    ]


def answer(response: httpx.Response, read: Callable[[Any], Answer]) -> Answer:
    """What a response says, read from its JSON.

    Raises:
        UndertoneError: it is a problem.
        Unreachable: it is nothing that Undertone would say.
    """
    where = response.url.copy_with(query=None)
    with understanding(f"{where} answered with status {response.status_code}"):
        reply = response.json()
        if response.is_success:
            return read(reply)
        problem = error_of(reply, response.status_code)
    raise problem


def pause_s(status: int, retry_after: str | None, attempt: int, retries: int) -> float | None:
    """How many seconds to wait before the same request may be tried again; None: it may not be.

    Args:
        status: of the answer.
        retry_after: its header, in seconds; twice as long each time where there is none.
        attempt: how many times it was tried again already.
        retries: how many times it may be.
    """
    if status not in BUSY or attempt >= retries:
        return None
    asked = retry_after or ""
    pause = float(asked) if asked.isdecimal() else 0.5 * 2**attempt
    return pause if pause <= LONGEST_PAUSE_S else None


def address(url: str) -> httpx.URL:
    """``url`` as the base of every path.

    Raises:
        ValueError: it is no http or https address.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"{url!r} is no address: {error}") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ValueError(f"{url!r} is no address of a service, such as http://localhost:8000")
    try:
        parsed.host.encode("idna")  # as the system does when it looks for it, far from here
    except UnicodeError as error:
        raise ValueError(f"{url!r} is no address: its host is no name of one ({error})") from error
    if not 0 < (parsed.port or 80) < 2**16:
        raise ValueError(f"{url!r} is no address: there is no port {parsed.port}")
    return parsed


def authorization(key: str | None) -> dict[str, str]:
    """The headers that carry a key, without what surrounds it: files end with a newline.

    Raises:
        ValueError: no header can carry it. It is not repeated.
    """
    bare = (key or "").strip()
    if not (bare.isascii() and bare.isprintable()):
        raise ValueError(
            "the key holds characters other than printable ASCII: no header carries it"
        )
    return {"Authorization": f"Bearer {bare}"} if bare else {}


@contextmanager
def reaching(url: object) -> Iterator[None]:
    """Say in one way that nothing answers.

    Raises:
        Unreachable: whatever of httpx's own errors the block raises.
    """
    try:
        yield
    except httpx.TimeoutException as error:
        raise Unreachable(f"{url} did not answer in time.") from error
    except httpx.ConnectError as error:
        raise Unreachable(f"{url} does not answer ({error}). Is the service running?") from error
    except httpx.RequestError as error:
        # Those of an event loop say nothing of themselves.
        raise Unreachable(
            f"{url} was reached and gave no answer that can be read ({str(error) or type(error).__name__})."
        ) from error
