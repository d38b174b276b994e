"""What a stream sends: the chunks of a caller, drawn and put into words that the service takes."""

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, Iterable, Iterator
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from undertone import pcm
from undertone.client.results import Ready
from undertone.errors import NotFinite
from undertone.pcm import Encoding

Chunk: TypeAlias = bytes | NDArray[Any]
"""16-bit PCM (little-endian), or mono samples."""

_MESSAGE_BYTES: Final = 64 * 1024
"""The service takes up to 1 MiB; small ones are taken one by one, so that each is, or is not, in time."""


async def drawn(chunks: Iterable[Chunk]) -> AsyncGenerator[Chunk, None]:
    """Chunks that may have to be waited for, each drawn when it is wanted, in a thread of their own.

    None of a pool's: nothing ends a thread that waits for a microphone, and neither the loop nor the
    process should wait for it.
    """
    wanted = SimpleQueue[Future[Chunk | None] | None]()
    remaining = iter(chunks)

    def draw() -> None:
        while (answer := wanted.get()) is not None:
            if not answer.set_running_or_notify_cancel():
                return
            try:
                answer.set_result(next(remaining, None))
            except BaseException as error:
                answer.set_exception(error)

    threading.Thread(target=draw, name="undertone-stream", daemon=True).start()
    try:
        while True:
            answer = Future[Chunk | None]()
            wanted.put(answer)
            chunk = await asyncio.wrap_future(answer)
            if chunk is None:
                return
            yield chunk
    finally:
        wanted.put(None)


class Wording:
    """How chunks are put to a service: floats as floats, so that nothing is rounded or clipped on the way.

    A service that does not say that it takes them gets 16 bits, as all of them always took.
    """

    def __init__(self, ready: Ready) -> None:
        self._takes_floats = "float32" in ready.encodings
        self._encoding = "pcm_s16"

    def messages(self, chunk: Chunk) -> Iterator[bytes | str]:
        """What to send for a chunk, in parts that the service takes; first its encoding, where that is new.

        Args:
            chunk: 16-bit PCM, little-endian, or mono samples [n] or [n, 1], as `Client.predict` takes them.

        Raises:
            UnsupportedAudio: samples of another dtype, or of several channels.
            NotFinite: samples that are no numbers.
        """
        encoding, data = ("pcm_s16", chunk) if isinstance(chunk, bytes) else self._encode(chunk)
        if encoding != self._encoding:
            self._encoding = encoding
            yield json.dumps({"type": "format", "encoding": encoding})
        for start in range(0, len(data), _MESSAGE_BYTES):
            yield data[start : start + _MESSAGE_BYTES]

    def _encode(self, samples: NDArray[Any]) -> tuple[str, bytes]:
        mono = samples[:, 0] if samples.ndim == 2 and samples.shape[1] == 1 else samples
        encoding = pcm.array_encoding(mono, (1,))
        if encoding == "pcm_s16":
            return encoding, mono.astype("<i2").tobytes()
        values = pcm.to_float(mono, encoding)
        if not np.isfinite(values).all():
            raise NotFinite("The samples hold values that are NaN or infinite.")
        target: Encoding = "float32" if self._takes_floats else "pcm_s16"
        return target, pcm.from_float(values, target).tobytes()
