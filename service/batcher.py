"""A queue in front of one model, so that requests which meet there share a batch.

It is work-conserving: nothing ever waits for company. A request that finds the engine idle goes at
once; those that arrive while it computes go together in its next batch. It is fair: a batch is shared
out evenly among those that wait, so a long recording never holds a short one up for more than the
batch that is being computed when it comes, as long as fewer wait than a batch has rows.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.errors import Overloaded
from undertone.engine import BATCH_SIZES

Rows = NDArray[np.float32]

MAX_ROWS: Final = BATCH_SIZES[-1]

MAX_WAITING: Final = 1024
"""Questions; every request and every stream puts one at a time, so others say no long before."""


@dataclass(slots=True, eq=False)
class _Question:
    features: Rows
    answer: asyncio.Future[Rows]
    asked: float = field(default_factory=time.perf_counter)
    taken: int = 0
    """How many of its rows went to the engine."""
    parts: list[Rows] = field(default_factory=list)
    """What came back."""

    @property
    def left(self) -> int:
        return len(self.features) - self.taken

    def take(self, n_rows: int) -> Rows:
        self.taken += n_rows
        return self.features[self.taken - n_rows : self.taken]


class Batcher:
    """One engine thread, and the questions that wait for it.

    All of it but the call of ``infer`` happens on the event loop, so nothing is locked.
    """

    def __init__(
        self,
        infer: Callable[[Rows], Rows],
        on_batch: Callable[[int], object] = lambda _: None,
        on_wait: Callable[[float], object] = lambda _: None,
    ) -> None:
        """Set up the queue.

        Args:
            infer: ``float32[n, frames, width]`` to ``float32[n, emotions]``; called in one thread.
            on_batch: told the number of rows of each batch.
            on_wait: told for each question how many seconds passed before a batch held some of it.
        """
        self._infer = infer
        self._on_batch = on_batch
        self._on_wait = on_wait
        self._waiting: deque[_Question] = deque()
        self._engine = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self._busy = False

    def __len__(self) -> int:
        """How many questions wait, without those of which all is being answered."""
        return len(self._waiting)

    async def infer(self, features: Rows) -> Rows:
        """What the engine makes of ``float32[n, frames, width]``, ``n >= 1``; cancel to withdraw.

        Raises:
            Overloaded: `MAX_WAITING` questions wait already.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise Overloaded(
                f"{MAX_WAITING} questions wait for the model. Try again in a moment.",
                allowed={"questions": MAX_WAITING},
            )
        question = _Question(features, asyncio.get_running_loop().create_future())
        self._waiting.append(question)
        self._dispatch()
        return await question.answer

    def close(self) -> None:
        """End the thread. Questions that still wait are withdrawn."""
        for question in self._waiting:
            question.answer.cancel()
        self._waiting.clear()
        self._engine.shutdown(wait=False, cancel_futures=True)

    def _dispatch(self) -> None:
        if self._busy:
            return
        batch = self._take()
        if not batch:
            return
        self._busy = True
        self._on_batch(sum(len(rows) for _, rows in batch))
        job = asyncio.get_running_loop().run_in_executor(
            self._engine, self._run, [rows for _, rows in batch]
        )
        job.add_done_callback(partial(self._deliver, batch))

    def _take(self) -> list[tuple[_Question, Rows]]:
        """The next batch: of those that came first, to each as much as it wants or an equal share."""
        self._waiting = deque(each for each in self._waiting if not each.answer.done())
        first = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_ROWS))]
        room = MAX_ROWS
        batch = []
        # From the smallest on, so that what one does not need is there for the larger ones.
        for index, question in enumerate(sorted(first, key=lambda each: each.left)):
            if not question.taken:
                self._on_wait(time.perf_counter() - question.asked)
            share = min(question.left, room // (len(first) - index))
            room -= share
            batch.append((question, question.take(share)))
        # What is not done goes behind those that have not had anything yet.
        self._waiting.extend(question for question in first if question.left)
        return batch

    def _run(self, rows: list[Rows]) -> Rows:
        return self._infer(np.concatenate(rows))

    def _deliver(self, batch: list[tuple[_Question, Rows]], job: asyncio.Future[Rows]) -> None:
        self._busy = False
        start = 0
        for question, rows in batch:
            stop = start + len(rows)
            if question.answer.done():
                pass
            elif job.cancelled():
                question.answer.cancel()
            elif error := job.exception():
                question.answer.set_exception(error)
            else:
                question.parts.append(job.result()[start:stop])
                if not question.left:
                    question.answer.set_result(np.concatenate(question.parts))
            start = stop
        self._dispatch()
