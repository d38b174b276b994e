"""A queue in front of one model, so that requests which meet there share a batch.

It is work-conserving: nothing waits for company while nothing is done. A request that finds a thread free
goes at once; those that arrive while all compute go together. Where one processor does all, the event loop
takes a batch when it is due (see `service.crew`). It is fair: a batch is shared out evenly
among those that wait, so a long recording never holds a short one up for more than the batches that are
being computed when it comes, as long as fewer wait than one has rows.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.crew import Crew
from service.errors import Overloaded
from undertone.engine import MAX_ROWS

Rows = NDArray[np.float32]

MAX_WAITING: Final = 1024
"""Questions; every request and every stream puts one at a time, so others say no long before."""


@dataclass(slots=True, eq=False)
class _Question:
    features: Rows
    answer: asyncio.Future[Rows]
    asked: float = field(default_factory=time.perf_counter)
    taken: int = 0
    """How many of its rows went to the engine."""
    parts: dict[int, Rows] = field(default_factory=dict)
    """What came back, by the first row that it is for: batches of one question may overtake each other."""

    @property
    def left(self) -> int:
        return len(self.features) - self.taken

    def take(self, n_rows: int) -> "_Share":
        share = _Share(self, self.taken, self.features[self.taken : self.taken + n_rows])
        self.taken += n_rows
        return share

    def tell(self, start: int, rows: Rows) -> None:
        """What came back for some of it; with the last of them, whoever asked is answered."""
        self.parts[start] = rows
        if sum(map(len, self.parts.values())) == len(self.features):
            parts = [self.parts[start] for start in sorted(self.parts)]
            self.answer.set_result(np.concatenate(parts))


@dataclass(frozen=True, slots=True)
class _Share:
    """Rows of a question that go into one batch."""

    question: _Question
    start: int
    rows: Rows


class Batcher:
    """The questions that wait for one engine.

    All of it but the call of ``infer`` happens on the event loop, so nothing is locked.
    """

    def __init__(
        self,
        infer: Callable[[Rows], Rows],
        crew: Crew,
        on_batch: Callable[[int], object] = lambda _: None,
        on_wait: Callable[[float], object] = lambda _: None,
    ) -> None:
        """Set up the queue.

        Args:
            infer: ``float32[n, frames, width]`` to ``float32[n, emotions]``; called in any thread.
            crew: whose threads call it.
            on_batch: told the number of rows of each batch.
            on_wait: told for each question how many seconds passed before a batch held some of it.
        """
        self._infer = infer
        self._crew = crew
        self._on_batch = on_batch
        self._on_wait = on_wait
        self._waiting: deque[_Question] = deque()
        crew.serve(self)

    def __len__(self) -> int:
        """How many questions wait, without those of which all is being answered."""
        return len(self._waiting)

    async def infer(self, features: Rows) -> Rows:
        """What the engine makes of ``float32[n, frames, width]``, ``n >= 1``; cancel to withdraw.

        Raises:
            Overloaded: `MAX_WAITING` questions wait already.
            RuntimeError: the crew is closed.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise Overloaded(
                f"{MAX_WAITING} questions wait for the model. Try again in a moment.",
                allowed={"questions": MAX_WAITING},
            )
        question = _Question(features, asyncio.get_running_loop().create_future())
        self._waiting.append(question)
        self._crew.hand_out()
        try:
            return await question.answer
        finally:
            del question, features  # an error holds this frame, and the answer holds the error

    def close(self) -> None:
        """Withdraw the questions that wait."""
        for question in self._waiting:
            question.answer.cancel()
        self._waiting.clear()

    def take(self) -> "_Batch | None":
        """The next batch, of at most `MAX_ROWS` rows; None where nothing waits."""
        self._waiting = deque(each for each in self._waiting if not each.answer.done())
        if not self._waiting:
            return None
        shares = self._share_out()
        self._on_batch(sum(len(share.rows) for share in shares))
        return _Batch(self._infer, shares)

    def _share_out(self) -> list[_Share]:
        """Of the questions that came first, to each as much as it wants or an equal share."""
        first = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_ROWS))]
        room = MAX_ROWS
        shares = []
        # From the smallest on, so that what one does not need is there for the larger ones.
        for index, question in enumerate(sorted(first, key=lambda each: each.left)):
            if not question.taken:
                self._on_wait(time.perf_counter() - question.asked)
            n_rows = min(question.left, room // (len(first) - index))
            room -= n_rows
            shares.append(question.take(n_rows))
        # What is not done goes behind those that have not had anything yet.
        self._waiting.extend(question for question in first if question.left)
        return shares


@dataclass(frozen=True, slots=True)
class _Batch:
    infer: Callable[[Rows], Rows]
    shares: list[_Share]

    def compute(self) -> Rows:
        try:
            return self.infer(np.concatenate([share.rows for share in self.shares]))
        finally:
            del self  # as in `Batcher.infer`

    def finish(self, result: object, error: BaseException | None) -> None:
        start = 0
        for share in self.shares:
            answer, stop = share.question.answer, start + len(share.rows)
            if answer.done():
                pass
            elif error:
                answer.set_exception(error)
            else:
                assert isinstance(result, np.ndarray)
                share.question.tell(share.start, result[start:stop])
            start = stop
