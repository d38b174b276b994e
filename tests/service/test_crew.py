import asyncio
import gc
import threading
import weakref

import pytest

from service.crew import PATIENCE, Crew


class Desk:
    """Hands out the batches it was given, and remembers whether a full one was asked for."""

    def __init__(self, n_waiting: int, full_at: int, log: list[str]) -> None:
        self.n_waiting = n_waiting
        self.full_at = full_at
        self.log = log

    def take(self, *, full: bool):
        if self.n_waiting < (self.full_at if full else 1):
            return None
        self.n_waiting = 0
        return Batch(self.log)


class Batch:
    def __init__(self, log: list[str]) -> None:
        self.log = log

    def compute(self) -> None:
        self.log.append("batch")

    def finish(self, result, error) -> None:
        assert result is None
        assert error is None


def order(n_waiting: int) -> list[str]:
    """In which order one thread does two jobs, and a batch of four, of which so much waits."""
    log: list[str] = []

    async def main() -> None:
        crew, open_ = Crew(1), threading.Event()
        first = asyncio.create_task(crew.do(open_.wait, 30))
        await asyncio.sleep(0)
        jobs = [asyncio.create_task(crew.do(log.append, name)) for name in ("one", "two")]
        crew.serve(Desk(n_waiting, 4, log))
        await asyncio.sleep(0)
        open_.set()
        await asyncio.gather(first, *jobs)
        await crew.do(int)  # what came before is done
        crew.close()

    asyncio.run(main())
    return log


def test_jobs_come_before_a_batch_that_is_not_full():
    assert order(3) == ["one", "two", "batch"]


def test_a_full_batch_comes_first():
    assert order(4) == ["batch", "one", "two"]


def test_a_batch_goes_at_once_where_a_thread_is_free():
    log: list[str] = []

    async def main() -> None:
        crew = Crew(1)
        crew.serve(Desk(1, 4, log))
        crew.hand_out()
        await crew.do(int)
        crew.close()

    asyncio.run(main())
    assert log == ["batch"]


def test_as_many_jobs_run_at_once_as_there_are_threads():
    async def main() -> None:
        crew, both = Crew(2), threading.Barrier(2)
        await asyncio.gather(*(crew.do(both.wait, 30) for _ in range(2)))
        crew.close()

    asyncio.run(main())


def test_what_a_job_raises_reaches_whoever_waits_for_it():
    async def main() -> None:
        crew = Crew(1)
        with pytest.raises(ZeroDivisionError):
            await crew.do(divmod, 1, 0)
        with pytest.raises(RuntimeError, match="StopIteration"):
            await crew.do(next, iter(()))
        assert await crew.do(divmod, 7, 2) == (3, 1)
        crew.close()

    asyncio.run(main())


def test_a_job_that_is_withdrawn_before_it_begins_is_never_done():
    done: list[int] = []

    async def main() -> None:
        crew, open_ = Crew(1), threading.Event()
        first = asyncio.create_task(crew.do(open_.wait, 30))
        await asyncio.sleep(0)
        second = asyncio.create_task(crew.do(done.append, 2))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.sleep(0)
        open_.set()
        assert await first
        await crew.do(done.append, 3)
        crew.close()

    asyncio.run(main())
    assert done == [3]


def test_a_batch_is_overtaken_by_so_many_jobs_and_no_more():
    log: list[str] = []

    async def main() -> None:
        crew = Crew(1)
        desk = Desk(0, 4, log)
        crew.serve(desk)
        ended = asyncio.Event()

        async def again() -> None:
            while not ended.is_set():
                await crew.do(log.append, "job")

        tasks = [asyncio.create_task(again()) for _ in range(8)]
        while len(log) < 8:
            await asyncio.sleep(0)
        desk.n_waiting = 1
        before = len(log)
        while "batch" not in log:
            assert len(log) < before + 100
            await asyncio.sleep(0)
        assert log.index("batch") - before <= 2 * PATIENCE
        ended.set()
        await asyncio.gather(*tasks)
        crew.close()

    asyncio.run(main())


def test_whoever_gives_up_waits_for_what_has_begun():
    async def main() -> None:
        crew, begun, open_ = Crew(1), threading.Event(), threading.Event()

        def work() -> None:
            begun.set()
            open_.wait(30)

        first = asyncio.create_task(crew.do(work))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        first.cancel()
        await asyncio.sleep(0.05)
        assert not first.done()
        open_.set()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await crew.do(int) == 0  # it hurts no other
        crew.close()

    asyncio.run(main())


def test_nothing_of_a_job_that_is_withdrawn_is_kept():
    class Upload:
        pass

    async def main() -> None:
        crew, open_, upload = Crew(1), threading.Event(), Upload()
        first = asyncio.create_task(crew.do(open_.wait, 30))
        await asyncio.sleep(0)
        gone = weakref.ref(upload)
        second = asyncio.create_task(crew.do(id, upload))
        del upload
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        del second
        gc.collect()
        assert gone() is None
        open_.set()
        await first
        crew.close()

    asyncio.run(main())


def test_nothing_of_a_job_that_fails_is_kept_even_without_a_collection():
    class Upload:
        pass

    def refuse(_: Upload) -> None:
        raise ValueError

    async def ask(crew: Crew) -> weakref.ref:
        upload = Upload()
        with pytest.raises(ValueError, match=r"^$"):
            await crew.do(refuse, upload)
        return weakref.ref(upload)

    async def main() -> None:
        crew = Crew(1)
        gone = await ask(crew)
        for _ in range(100):
            if gone() is None:
                break
            await asyncio.sleep(0.01)
        assert gone() is None
        crew.close()

    gc.disable()
    try:
        asyncio.run(main())
    finally:
        gc.enable()


def test_it_takes_nothing_once_it_is_closed():
    async def main() -> None:
        crew = Crew(1)
        crew.close()
        with pytest.raises(RuntimeError, match="gone"):
            await crew.do(int)

    asyncio.run(main())


def test_what_waits_when_it_closes_is_withdrawn():
    async def main() -> None:
        crew, open_ = Crew(1), threading.Event()
        first = asyncio.create_task(crew.do(open_.wait, 30))
        await asyncio.sleep(0)
        second = asyncio.create_task(crew.do(int))
        await asyncio.sleep(0)
        crew.close()
        open_.set()
        assert await first
        with pytest.raises(asyncio.CancelledError):
            await second

    asyncio.run(main())


def test_nothing_of_a_job_is_kept_until_the_next_one():
    class Upload:
        pass

    async def main() -> None:
        crew, upload = Crew(1), Upload()
        gone = weakref.ref(upload)
        await crew.do(id, upload)
        del upload
        for _ in range(100):
            gc.collect()
            if gone() is None:
                break
            await asyncio.sleep(0.01)
        assert gone() is None
        crew.close()

    asyncio.run(main())


def test_a_job_that_ends_after_its_event_loop_is_nobodys():
    begun, open_ = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    def work() -> None:
        threads.append(threading.current_thread())
        begun.set()
        open_.wait(30)

    async def main() -> None:
        task = asyncio.create_task(Crew(1).do(work))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        task.cancel()

    asyncio.run(main())
    open_.set()
    threads[0].join(30)
    assert not threads[0].is_alive()
