"""Threads that compute, as many as there are processors, and what comes first where all are busy.

Sound is prepared in the order in which it comes, and the network runs when a thread has nothing to
prepare, or when enough waits for it: on processors that are busy, a small batch now is dear, and whoever
waits for it is served sooner by a larger one. Where a thread is free, nothing waits.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, Protocol, TypeVar, TypeVarTuple, Unpack

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")


class Job(Protocol):
    """Something to compute, and what is to become of the result."""

    def compute(self) -> object:
        """Done in a thread of the crew."""

    def finish(self, result: object, error: BaseException | None) -> None:
        """Done on the event loop, with what `compute` returned or raised."""


class Desk(Protocol):
    """Where questions gather until a batch of them is taken."""

    def take(self, *, full: bool) -> Job | None:
        """The next batch; None where nothing waits, or too little for a ``full`` one."""


class Crew:
    """Threads, and the jobs that wait for one. Of one event loop, on which all but the work is done."""

    def __init__(self, size: int) -> None:
        """Start ``size`` threads for the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._free = size
        self._jobs: deque[_Errand] = deque()
        self._desks: deque[Desk] = deque()
        self._orders: SimpleQueue[Job | None] = SimpleQueue()
        self._threads = [
            Thread(target=self._work, name=f"crew_{number}", daemon=True) for number in range(size)
        ]
        for thread in self._threads:
            thread.start()

    async def do(
        self, work: Callable[[Unpack[Arguments]], Result], *arguments: *Arguments
    ) -> Result:
        """What ``work`` returns, done in a thread; cancel to withdraw what no thread has begun."""
        answer: asyncio.Future[Result] = self._loop.create_future()
        self._jobs.append(_Errand(partial(work, *arguments), answer))
        self.hand_out()
        return await answer

    def serve(self, desk: Desk) -> None:
        """Take batches from ``desk`` from now on; it calls `hand_out` when something waits there."""
        self._desks.append(desk)

    def hand_out(self) -> None:
        """Give each thread that is free something to do."""
        while self._free and (job := self._next()):
            self._free -= 1
            self._orders.put(job)

    def close(self) -> None:
        """Withdraw what waits, and end the threads as soon as they are done."""
        for errand in self._jobs:
            errand.answer.cancel()
        self._jobs.clear()
        for _ in self._threads:
            self._orders.put(None)

    def _next(self) -> Job | None:
        if batch := self._batch(full=True):
            return batch
        while self._jobs:
            errand = self._jobs.popleft()
            if not errand.answer.done():
                return errand
        return self._batch(full=False)

    def _batch(self, *, full: bool) -> Job | None:
        for desk in self._desks:
            if batch := desk.take(full=full):
                self._desks.rotate(-1)  # the others come first the next time
                return batch
        return None

    def _work(self) -> None:
        while job := self._orders.get():
            result: object = None
            error: BaseException | None = None
            try:
                result = job.compute()
            except BaseException as raised:  # whoever waits for it is told
                error = raised
            try:
                self._loop.call_soon_threadsafe(self._finish, job, result, error)
            except RuntimeError:  # the loop was closed meanwhile: nobody waits
                return
            del job, result, error  # an upload must not live on until the next one comes

    def _finish(self, job: Job, result: object, error: BaseException | None) -> None:
        self._free += 1
        job.finish(result, error)
        self.hand_out()


class _Errand:
    """A job for one who waits."""

    def __init__(self, work: Callable[[], object], answer: asyncio.Future[Any]) -> None:
        self.compute = work
        self.answer = answer

    def finish(self, result: object, error: BaseException | None) -> None:
        if self.answer.done():
            return
        if error:
            self.answer.set_exception(error)
        else:
            self.answer.set_result(result)
