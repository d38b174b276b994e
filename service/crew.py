"""Who computes what, and what comes first where all are busy.

- Short pieces of work (a clip decoded, and its features, where no helper does it) are done on the event loop,
  one a turn, or as many as take no longer than everything else took since the last turn. Python lets one
  thread at a time do them anyway; handed to another thread, they fight the loop for the interpreter, and cost
  more (docs/performance.md has the measurement). Between turns the loop sees to its sockets.
- The network runs in threads, which do not need the interpreter meanwhile, where there is a processor for
  them. Where there is one for all, threads would only fight the loop for it: the network then runs on the
  loop, too, as soon as more wait for it than for what comes before it. What was begun is so finished before
  much else is begun, and the more there is to do, the larger are the batches. Neither waits for more than a
  batch of the other.
- What takes longer (minutes of sound, forms that are made to be slow) is done in threads of its own.

Nothing waits while a thread for it is free.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final, Protocol, TypeVar, TypeVarTuple, Unpack

import anyio

from undertone.engine import MAX_ROWS

ASIDE: Final = 2
"""Threads for what takes longer."""

TURN_S: Final = 0.01
"""How long a turn may go on beyond its first piece, however long the loop was away."""

JOIN_S: Final = 0.5
"""How long the threads are waited for at the end: one in the middle of TensorFlow must not be cut off."""

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")


class Job(Protocol):
    """Something to compute, and what is to become of the result."""

    def compute(self) -> object:
        """Done in a thread of the crew, or on the event loop where that has the only processor."""

    def finish(self, result: object, error: BaseException | None) -> None:
        """Done on the event loop, with what `compute` returned or raised."""


class Desk(Protocol):
    """Where questions gather until a batch of them is taken."""

    def take(self) -> Job | None:
        """The next batch; None where nothing waits."""

    def __len__(self) -> int:
        """How many questions wait."""


class Crew:
    """The threads, and what waits for them and for the loop. Of one event loop, which hands all out."""

    def __init__(self, size: int) -> None:
        """Start the threads, for the running event loop.

        Args:
            size: the processors that there are for all of it. The loop fills one of them; the network
                has the others, or shares the only one.
        """
        self._loop = asyncio.get_running_loop()
        self._pieces: deque[_Errand] = deque()
        self._turn_comes = False
        self._closed = False
        self._desks: deque[Desk] = deque()
        self._pieces_since_batch = 0
        self._network = (
            _Threads("network", size - 1, self._loop, self._next_batch) if size > 1 else None
        )
        self._jobs: deque[_Errand] = deque()
        self._aside = _Threads("aside", ASIDE, self._loop, self._next_job)

    async def do_in_turn(
        self, work: Callable[[Unpack[Arguments]], Result], *arguments: *Arguments
    ) -> Result:
        """What ``work`` returns, done on the event loop: for a few milliseconds of work, no more.

        Cancelled, it withdraws what was not begun.
        """
        errand = self._errand(partial(work, *arguments))
        self._pieces.append(errand)
        self._ask_for_turn()
        try:
            result: Result = await errand.answer
            return result
        except asyncio.CancelledError:
            errand.withdraw(self._pieces)
            raise
        finally:
            # An error holds this frame by its traceback, and the answer holds the error: a refused
            # upload would stay until the next collection of garbage.
            del errand, work, arguments

    async def do_aside(
        self, work: Callable[[Unpack[Arguments]], Result], *arguments: *Arguments
    ) -> Result:
        """What ``work`` returns, done in a thread beside the event loop.

        Cancelled, it withdraws what no thread has begun. What one has begun is waited for: until then
        it takes memory and a processor, for which whoever asked stays accountable.
        """
        errand = self._errand(partial(work, *arguments))
        self._jobs.append(errand)
        self._aside.hand_out()
        try:
            result: Result = await asyncio.shield(errand.answer)
            return result
        except asyncio.CancelledError:
            if errand.begun:
                with anyio.CancelScope(shield=True):
                    await asyncio.wait([errand.answer])
            else:
                errand.withdraw(self._jobs)
            raise
        finally:
            del errand, work, arguments  # as above

    def serve(self, desk: Desk) -> None:
        """Take batches from ``desk`` from now on; it calls `hand_out` when something waits there."""
        self._desks.append(desk)

    def hand_out(self) -> None:
        """Have the network run as soon as it can.

        Raises:
            RuntimeError: it is closed.
        """
        self._require_open()
        if self._network:
            self._network.hand_out()
        else:
            self._ask_for_turn()

    def close(self) -> None:
        """Withdraw what waits, and end the threads as soon as they are done."""
        self._closed = True
        for errand in (*self._pieces, *self._jobs):
            errand.answer.cancel()
        self._pieces.clear()
        self._jobs.clear()
        if self._network:
            self._network.close()
        self._aside.close()

    def _require_open(self) -> None:
        if self._closed:
            raise RuntimeError("the crew is gone")

    def _errand(self, work: Callable[[], object]) -> "_Errand":
        self._require_open()
        return _Errand(work, self._loop.create_future())

    def _ask_for_turn(self) -> None:
        if not self._turn_comes:
            self._turn_comes = True
            self._loop.call_soon(self._turn, time.perf_counter())

    def _turn(self, asked: float) -> None:
        self._turn_comes = False
        try:
            if self._batch_is_due():
                self._run_batch()
            else:
                self._do_pieces(asked)
        finally:
            if self._pieces or self._batch_is_due():
                self._ask_for_turn()

    def _do_pieces(self, asked: float) -> None:
        """One, and more where the loop has much else to do: so neither starves the other."""
        began = time.perf_counter()
        until = began + min(began - asked, TURN_S)
        while errand := self._next_piece():
            self._pieces_since_batch += 1
            errand.run()
            del errand  # which an error would hold by its traceback
            if time.perf_counter() >= until:
                return

    def _batch_is_due(self) -> bool:
        """Whether the loop is to run the network next: a batch is full, or as large as is good for all."""
        waiting = [] if self._network else [len(desk) for desk in self._desks]
        if not (any(waiting) and self._pieces):
            return any(waiting)
        # A long recording's question outlasts many batches, and of some pieces no question comes.
        if not self._pieces_since_batch:
            return False
        is_full = max(*waiting, self._pieces_since_batch) >= MAX_ROWS
        return is_full or sum(waiting) > len(self._pieces)

    def _run_batch(self) -> None:
        self._pieces_since_batch = 0
        if batch := self._next_batch():
            try:
                batch.finish(*_outcome(batch.compute))
            finally:
                del batch  # as in `_Errand.run`

    def _next_piece(self) -> "_Errand | None":
        while self._pieces:
            errand = self._pieces.popleft()
            if not errand.answer.done():  # whoever waited for it may be gone, and not know it yet
                return errand
        return None

    def _next_batch(self) -> Job | None:
        for desk in self._desks:
            if batch := desk.take():
                self._desks.remove(desk)
                self._desks.append(desk)  # the others come first the next time
                return batch
        return None

    def _next_job(self) -> Job | None:
        if not self._jobs:
            return None
        errand = self._jobs.popleft()
        errand.begun = True
        return errand


class _Threads:
    """Threads that do what ``following`` names, as long as it names something."""

    def __init__(
        self,
        name: str,
        size: int,
        loop: asyncio.AbstractEventLoop,
        following: Callable[[], Job | None],
    ) -> None:
        self._loop = loop
        self._following = following
        self._free = size
        self._orders: SimpleQueue[Job | None] = SimpleQueue()
        self._threads = [
            Thread(target=self._work, name=f"{name}_{number}", daemon=True)
            for number in range(size)
        ]
        for thread in self._threads:
            thread.start()

    def hand_out(self) -> None:
        """Give each thread that is free something to do."""
        while self._free and (job := self._following()):
            self._free -= 1
            self._orders.put(job)

    def close(self) -> None:
        """End the threads as soon as they are done."""
        for _ in self._threads:
            self._orders.put(None)
        for thread in self._threads:
            thread.join(JOIN_S)

    def _work(self) -> None:
        while job := self._orders.get():
            result, error = _outcome(job.compute)
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


def _outcome(compute: Callable[[], object]) -> tuple[object, BaseException | None]:
    """What it returned, or raised: whoever waits for it is told."""
    try:
        return compute(), None
    except BaseException as error:
        return None, error
    finally:
        del compute  # which an error would hold by its traceback, and with it an upload


class _Errand:
    """A job for one who waits."""

    def __init__(self, work: Callable[[], object], answer: asyncio.Future[Any]) -> None:
        self.compute = work
        self.answer = answer
        self.begun = False

    def run(self) -> None:
        """Do it here and now."""
        try:
            self.finish(*_outcome(self.compute))
        finally:
            del self  # an error holds the frame of `_outcome`, and that this one

    def withdraw(self, waiting: "deque[_Errand]") -> None:
        """Take it out of ``waiting``, if it still is in it."""
        if self in waiting:
            waiting.remove(self)

    def finish(self, result: object, error: BaseException | None) -> None:
        """Answer whoever still waits."""
        if self.answer.done():
            return
        if isinstance(error, StopIteration):  # which a future does not take
            self.answer.set_exception(RuntimeError("a job raised StopIteration"))
        elif error:
            self.answer.set_exception(error)
        else:
            self.answer.set_result(result)
