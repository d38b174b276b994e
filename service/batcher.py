"""A queue in front of one model, so that requests which meet there share a batch.

It is work-conserving: nothing ever waits for company. A request that finds the engine idle goes at
once; those that arrive while it computes go together in its next batch.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from undertone.engine import BATCH_SIZES

Rows = NDArray[np.float32]

MAX_ROWS: Final = BATCH_SIZES[-1]


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    features: Rows
    answer: asyncio.Future[Rows]


class Batcher:
    """One engine thread, and the questions that wait for it.

    The queue is bounded by how many requests `service.limits` lets in. All of it but the call of
    ``infer`` happens on the event loop, so nothing is locked.
    """

    def __init__(
        self, infer: Callable[[Rows], Rows], on_batch: Callable[[int], object] = lambda _: None
    ) -> None:
        """Set up the queue.

        Args:
            infer: ``float32[n, frames, width]`` to ``float32[n, emotions]``; called in one thread.
            on_batch: told the number of rows of each batch.
        """
        self._infer = infer
        self._on_batch = on_batch
        self._waiting: deque[_Question] = deque()
        self._engine = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self._busy = False

    def __len__(self) -> int:
        """How many questions wait, without those being answered."""
        return len(self._waiting)

    async def infer(self, features: Rows) -> Rows:
        """What the engine makes of ``float32[n, frames, width]``; cancel to withdraw."""
        question = _Question(features, asyncio.get_running_loop().create_future())
        self._waiting.append(question)
        self._dispatch()
        return await question.answer

    def close(self) -> None:
        """End the thread. Questions that still wait are not answered."""
        self._engine.shutdown(wait=False, cancel_futures=True)

    def _dispatch(self) -> None:
        if self._busy:
            return
        batch = self._take()
        if not batch:
            return
        self._busy = True
        self._on_batch(sum(len(question.features) for question in batch))
        job = asyncio.get_running_loop().run_in_executor(self._engine, self._run, batch)
        job.add_done_callback(partial(self._deliver, batch))

    def _take(self) -> list[_Question]:
        """The next questions, as many as one batch holds, though never none for being too large."""
        batch: list[_Question] = []
        room = MAX_ROWS
        while self._waiting:
            question = self._waiting[0]
            if not question.answer.done():
                room -= len(question.features)
                if batch and room < 0:
                    break
                batch.append(question)
            self._waiting.popleft()
        return batch

    def _run(self, batch: list[_Question]) -> Rows:
        return self._infer(np.concatenate([question.features for question in batch]))

    def _deliver(self, batch: list[_Question], job: asyncio.Future[Rows]) -> None:
        self._busy = False
        start = 0
        for question in batch:
            stop = start + len(question.features)
            if question.answer.done():
                pass
            elif job.cancelled():
                question.answer.cancel()
            elif error := job.exception():
                question.answer.set_exception(error)
            else:
                question.answer.set_result(job.result()[start:stop])
            start = stop
        self._dispatch()
