"""The client that waits."""

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from itertools import count
from typing import Any, Self

import httpx

from undertone.client import calls
from undertone.client.calls import RETRIES, TIMEOUT_S, Answer, Asked, Call, Source
from undertone.client.chunks import Chunk
from undertone.client.results import (
    LiveSegment,
    Model,
    Models,
    Prediction,
    Ready,
    model_of,
    models_of,
)
from undertone.client.streaming import Door, stream
from undertone.errors import UndertoneError


class Client:
    """A service of Undertone, asked and waited for. Safe to share between threads.

    >>> with Client("http://localhost:8000") as client:  # doctest: +SKIP
    ...     for segment in client.predict("call.wav", segments=True).segments or ():
    ...         print(segment.start, segment.label)
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout: float = TIMEOUT_S,
        retries: int = RETRIES,
    ) -> None:
        """Nothing is asked yet.

        Args:
            url: where the service is, such as ``http://localhost:8000``.
            key: for services that ask for one; blanks and newlines around it are left out.
            timeout: seconds without a byte after which a request is given up, and a stream, too. A
                stream in which the service has nothing to say is not silent: it is asked, and answers.
            retries: how often a request that found no room (429, 503) is tried again, after as
                long as the service asks for.

        Raises:
            ValueError: ``url`` is no http or https address, or no header can carry ``key``.
        """
        self._url = calls.address(url)
        self._retries = retries
        headers = calls.authorization(key)
        self._http = httpx.Client(base_url=self._url, headers=headers, timeout=timeout)
        self._door = Door(self._url, headers, timeout)

    def predict(
        self,
        source: Source,
        sr: int | None = None,
        *,
        model: str | None = None,
        top_k: int | None = None,
        segments: bool = False,
        split_channels: bool = False,
    ) -> Prediction:
        """Hear one recording.

        Args:
            source: a path, the bytes of a WAV file, or samples [n] or [n, channels] (floats with
                full scale at 1, or integers). FLAC, Ogg, MP3 and AIFF files are decoded here.
            sr: the rate of ``source`` in Hz, for samples only.
            model: a name from `models`; the service's default where left out.
            top_k: how many emotions to list; all where left out.
            segments: whether to answer with the timeline, too.
            split_channels: whether to answer for each channel, too.

        Raises:
            AudioError: it cannot be read, or there is nothing in it to hear an emotion in.
            ModelNotFound: there is no model of that name.
            ServiceProblem, Unreachable: the service does not answer with a prediction.
            OSError: there is no such file.
            TypeError: samples without their rate, or a rate for something that states its own.
        """
        recording = calls.sent(source, sr)
        call = calls.predicting(recording, Asked(model, top_k, segments, split_channels))
        return self._ask(call, recording.heard)

    def batch(
        self,
        sources: Sequence[Source],
        sr: int | None = None,
        *,
        model: str | None = None,
        top_k: int | None = None,
        segments: bool = False,
        split_channels: bool = False,
    ) -> list[Prediction | UndertoneError]:
        """Hear several recordings in one request; what is wrong with one keeps no other from it.

        Args:
            sources: as for `predict`.
            sr: the rate of all of them in Hz, for samples only.
            model: a name from `models`.
            top_k: how many emotions to list for each; all where left out.
            segments: whether to answer with timelines, too.
            split_channels: whether to answer for each channel, too.

        Returns:
            For each source, in their order, a prediction or the error that `predict` would raise.

        Raises:
            ServiceProblem, Unreachable, ModelNotFound: nothing was answered at all.
            AudioError, OSError, TypeError: a source cannot even be sent.
            ValueError: there are no sources.
        """
        recordings = [calls.sent(source, sr) for source in sources]
        call = calls.predicting_batch(recordings, Asked(model, top_k, segments, split_channels))
        return self._ask(call, partial(calls.results_of, recordings))

    def models(self) -> Models:
        """The models that can be asked for.

        Raises:
            ServiceProblem, Unreachable: the service does not say.
        """
        return self._ask(Call("GET", "/models"), models_of)

    def model(self, name: str) -> Model:
        """One model.

        Raises:
            ModelNotFound: there is none of that name; the error lists those there are.
            ServiceProblem, Unreachable: the service does not say.
        """
        return self._ask(calls.model(name), model_of)

    def stream(
        self, chunks: Iterable[Chunk], sr: int, *, model: str | None = None
    ) -> Generator[Ready | LiveSegment | Prediction, None, None]:
        """Hear sound while it comes; who leaves before the end closes it (``close``).

        Args:
            chunks: mono sound, of any length each: 16-bit PCM (little-endian) as bytes, or samples
                as for `predict`. They are drawn in a thread of their own, as fast as the service
                takes them.
            sr: their rate, in Hz.
            model: a name from `models`.

        Yields:
            `Ready` first, a `LiveSegment` for every window as soon as it is heard, and after the last
            chunk the `Prediction` for all of it, with its ``segments``.

        Raises:
            UndertoneError: as for `predict`.
            Exception: whatever drawing a chunk raises.
        """
        return stream(self._door, chunks, sr, model, pause=self._pause)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, call: Call, read: Callable[[Any], Answer]) -> Answer:
        for attempt in count():
            with calls.reaching(self._url):
                response = self._http.request(**call.arguments)
            retry_after = response.headers.get("Retry-After")
            if not self._pause(response.status_code, retry_after, attempt):
                return calls.answer(response, read)
        raise AssertionError("count() does not end")

    def _pause(self, status: int, retry_after: str | None, attempt: int) -> bool:
        """Wait, if the same request may be tried again; say whether it may."""
        pause = calls.pause_s(status, retry_after, attempt, self._retries)
        if pause is not None:
            time.sleep(pause)
        return pause is not None
