"""The client for an event loop: `Client`, awaited."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Sequence
from functools import partial
from itertools import count
from typing import Any, Self

import anyio
import httpx
from anyio import to_thread

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
from undertone.client.streaming import Door, stream_async
from undertone.errors import UndertoneError


class AsyncClient:
    """A service of Undertone, asked from an event loop; `Client` says what each method takes.

    >>> async def label(path):
    ...     async with AsyncClient("http://localhost:8000") as client:
    ...         return (await client.predict(path)).label
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout: float = TIMEOUT_S,
        retries: int = RETRIES,
    ) -> None:
        """As `Client`."""
        self._url = calls.address(url)
        self._retries = retries
        headers = calls.authorization(key)
        self._http = httpx.AsyncClient(base_url=self._url, headers=headers, timeout=timeout)
        self._door = Door(self._url, headers, timeout)

    async def predict(
        self,
        source: Source,
        sr: int | None = None,
        *,
        model: str | None = None,
        top_k: int | None = None,
        segments: bool = False,
        split_channels: bool = False,
    ) -> Prediction:
        """Hear one recording: as `Client.predict`."""
        recording = await to_thread.run_sync(calls.sent, source, sr)
        call = calls.predicting(recording, Asked(model, top_k, segments, split_channels))
        return await self._ask(call, recording.heard)

    async def batch(
        self,
        sources: Sequence[Source],
        sr: int | None = None,
        *,
        model: str | None = None,
        top_k: int | None = None,
        segments: bool = False,
        split_channels: bool = False,
    ) -> list[Prediction | UndertoneError]:
        """Hear several recordings in one request: as `Client.batch`."""
        recordings = [await to_thread.run_sync(calls.sent, source, sr) for source in sources]
        call = calls.predicting_batch(recordings, Asked(model, top_k, segments, split_channels))
        return await self._ask(call, partial(calls.results_of, recordings))

    async def models(self) -> Models:
        """The models that can be asked for: as `Client.models`."""
        return await self._ask(Call("GET", "/models"), models_of)

    async def model(self, name: str) -> Model:
        """One model: as `Client.model`."""
        return await self._ask(calls.model(name), model_of)

    def stream(
        self,
        chunks: Iterable[Chunk] | AsyncIterable[Chunk],
        sr: int,
        *,
        model: str | None = None,
    ) -> AsyncGenerator[Ready | LiveSegment | Prediction, None]:
        """Hear sound while it comes: as `Client.stream`, from chunks that may be awaited.

        Chunks that are not are drawn in a thread of their own, as there. Who leaves before the end closes
        it (``aclose``).
        """
        return stream_async(self._door, chunks, sr, model, pause=self._pause)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _ask(self, call: Call, read: Callable[[Any], Answer]) -> Answer:
        for attempt in count():
            with calls.reaching(self._url):
                response = await self._http.request(**call.arguments)
            retry_after = response.headers.get("Retry-After")
            if not await self._pause(response.status_code, retry_after, attempt):
                return calls.answer(response, read)
        raise AssertionError("count() does not end")

    async def _pause(self, status: int, retry_after: str | None, attempt: int) -> bool:
        pause = calls.pause_s(status, retry_after, attempt, self._retries)
        if pause is not None:
            await anyio.sleep(pause)
        return pause is not None
