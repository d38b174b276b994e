"""Threads that compute, as many as there are processors, and what comes first where all are busy.

Sound is prepared in the order in which it comes, and the network runs when a thread has nothing to
prepare, or when enough waits for it: on processors that are busy, a small batch now is dear, and whoever
waits for it is served sooner by a larger one. Where a thread is free, nothing waits; and no batch, however
small, is overtaken by more than `PATIENCE` jobs.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final, Protocol, TypeVar, TypeVarTuple, Unpack

import anyio

PATIENCE: Final = 16
"""Jobs that are begun while less than a full batch waits; then it goes first."""

JOIN_S: Final = 0.5
"""How long the threads are waited for at the end: one in the middle of TensorFlow must not be cut off."""

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
        self._overtaken = 0
        self._closed = False
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
        """What ``work`` returns, done in a thread.

        Cancelled, it withdraws what no thread has begun. What one has begun is waited for: until then
        it takes memory and a processor, for which whoever asked stays accountable.
        """
        if self._closed:
            raise RuntimeError("the crew is gone")
        errand = _Errand(partial(work, *arguments), self._loop.create_future())
        self._jobs.append(errand)
        self.hand_out()
        try:
            result: Result = await asyncio.shield(errand.answer)
            return result
        except asyncio.CancelledError:
            if errand.begun:
                with anyio.CancelScope(shield=True):
                    await asyncio.wait([errand.answer])
            elif errand in self._jobs:
                self._jobs.remove(errand)
            raise
        finally:
            # An error holds this frame by its traceback, and the answer holds the error: a refused
            # upload would stay until the next collection of garbage.
            del errand, work, arguments

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
        self._closed = True
        for errand in self._jobs:
            errand.answer.cancel()
        self._jobs.clear()
        for _ in self._threads:
            self._orders.put(None)
        for thread in self._threads:
            thread.join(JOIN_S)

    def _next(self) -> Job | None:
        any_size = not self._jobs or self._overtaken >= PATIENCE
        batch = self._batch(full=not any_size)
        if batch or any_size:
            self._overtaken = 0
        if batch or not self._jobs:
            return batch
        self._overtaken += 1
        errand = self._jobs.popleft()
        errand.begun = True
        return errand

    def _batch(self, *, full: bool) -> Job | None:
        for desk in self._desks:
            if batch := desk.take(full=full):
                self._desks.remove(desk)
                self._desks.append(desk)  # the others come first the next time
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
        try:
            job.finish(result, error)
        finally:
            self.hand_out()


class _Errand:
    """A job for one who waits."""

    def __init__(self, work: Callable[[], object], answer: asyncio.Future[Any]) -> None:
        self.compute = work
        self.answer = answer
        self.begun = False

    def finish(self, result: object, error: BaseException | None) -> None:
        if self.answer.done():
            return
        if isinstance(error, StopIteration):  # which a future does not take
            self.answer.set_exception(RuntimeError("a job raised StopIteration"))
        elif error:
            self.answer.set_exception(error)
        else:
            self.answer.set_result(result)
