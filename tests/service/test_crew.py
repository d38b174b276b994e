import asyncio
import gc
import socket
import threading
import time
import weakref

import pytest

from service.crew import ASIDE, TURN_S, Crew
from undertone.engine import MAX_ROWS

WAYS = [pytest.param(Crew.do_in_turn, id="in turn"), pytest.param(Crew.do_aside, id="aside")]


class Desk:
    """Hands out one batch."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.waits = True

    def __len__(self) -> int:
        return int(self.waits)

    def take(self):
        if not self.waits:
            return None
        self.waits = False
        return Batch(self.log)


class Batch:
    def __init__(self, log: list[str], name: str = "batch") -> None:
        self.log = log
        self.name = name

    def compute(self) -> None:
        self.log.append(self.name)

    def finish(self, result, error) -> None:
        assert result is None
        assert error is None


def test_a_batch_goes_at_once_even_while_pieces_wait():
    log: list[str] = []

    async def main() -> None:
        crew, begun = Crew(2), threading.Event()
        desk = Desk(log)
        desk.take = lambda take=desk.take: begun.set() or take()
        pieces = [asyncio.create_task(crew.do_in_turn(log.append, "piece")) for _ in range(2)]
        await asyncio.sleep(0)
        crew.serve(desk)
        crew.hand_out()
        assert begun.is_set()
        await asyncio.gather(*pieces)
        while "batch" not in log:
            await asyncio.sleep(0.001)
        crew.close()

    asyncio.run(asyncio.wait_for(main(), 30))
    assert sorted(log) == ["batch", "piece", "piece"]


@pytest.mark.parametrize(
    ("n_pieces", "expected"),
    [
        pytest.param(1, "-1", id="alone"),
        pytest.param(3, "--2-1", id="some"),
        pytest.param(20, "--------8-------7---3--2", id="many"),
    ],
)
def test_one_processor_runs_a_batch_on_the_loop_once_it_is_full_or_more_wait_for_it_than_for_a_turn(
    n_pieces, expected
):
    log: list[str] = []

    async def main() -> None:
        crew, desk = Crew(1), GrowingDesk(log)
        threads = threading.active_count()
        crew.serve(desk)
        await asyncio.gather(*(crew.do_in_turn(desk.prepare) for _ in range(n_pieces)))
        while len(desk):
            await asyncio.sleep(0)
        assert threading.active_count() == threads
        crew.close()

    asyncio.run(asyncio.wait_for(main(), 30))
    assert "".join(log) == expected


def test_a_question_that_outlasts_many_batches_keeps_no_piece_waiting_for_more_than_one():
    log: list[str] = []

    async def main() -> None:
        crew, desk = Crew(1), GrowingDesk(log)
        desk.questions = 10**6
        crew.serve(desk)
        pieces = (crew.do_in_turn(spend, log) for _ in range(5))
        await asyncio.gather(*pieces)
        crew.close()

    asyncio.run(asyncio.wait_for(main(), 30))
    assert "".join(log).strip("8") == "-8-8-8-8-"


def test_pieces_of_which_no_question_comes_keep_none_waiting_for_more_than_a_batch_of_them():
    log: list[str] = []

    async def main() -> None:
        crew, desk = Crew(1), GrowingDesk(log)
        crew.serve(desk)

        async def one_after_the_other() -> None:
            while "1" not in log:
                await crew.do_in_turn(spend, log)

        others = [asyncio.create_task(one_after_the_other()) for _ in range(3)]
        desk.questions = 1
        await asyncio.gather(*others)
        crew.close()

    asyncio.run(asyncio.wait_for(main(), 30))
    assert log.index("1") <= MAX_ROWS


def test_what_waits_for_another_model_does_not_fill_a_batch():
    log: list[str] = []

    async def main() -> None:
        crew, desks = Crew(1), [GrowingDesk(log) for _ in range(4)]
        for desk in desks:
            crew.serve(desk)
        await asyncio.gather(*(crew.do_in_turn(desk.prepare) for desk in 16 * desks))
        while any(map(len, desks)):
            await asyncio.sleep(0)
        crew.close()

    asyncio.run(asyncio.wait_for(main(), 60))
    batches = [int(each) for each in log if each != "-"]
    assert sum(batches) == 64
    assert batches.count(MAX_ROWS) >= 2


def spend(log: list[str]) -> None:
    """A piece that takes a turn for itself."""
    log.append("-")
    time.sleep(1.2 * TURN_S)


class GrowingDesk:
    """Where each piece puts a question; a batch writes down how many it holds."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.questions = 0

    def __len__(self) -> int:
        return self.questions

    def prepare(self) -> None:
        spend(self.log)
        self.questions += 1

    def take(self):
        if not self.questions:
            return None
        taken = min(self.questions, MAX_ROWS)
        self.questions -= taken
        return Batch(self.log, str(taken))


def test_what_takes_longer_holds_up_neither_pieces_nor_batches():
    log: list[str] = []

    async def main() -> None:
        crew, open_ = Crew(2), threading.Event()
        long = [asyncio.create_task(crew.do_aside(open_.wait, 30)) for _ in range(ASIDE + 1)]
        await asyncio.sleep(0)
        crew.serve(Desk(log))
        crew.hand_out()
        assert await crew.do_in_turn(divmod, 7, 2) == (3, 1)
        while "batch" not in log:
            await asyncio.sleep(0.001)
        assert not any(each.done() for each in long)
        open_.set()
        assert all(await asyncio.gather(*long))
        crew.close()

    asyncio.run(asyncio.wait_for(main(), 30))


def test_the_loop_sees_to_its_sockets_between_two_pieces():
    log: list[str] = []

    async def main() -> None:
        crew, loop = Crew(2), asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        loop.add_reader(ours, lambda: log.append(ours.recv(1).decode()))

        def piece(name: str) -> None:
            log.append(name)
            theirs.send(b"-")
            time.sleep(1.2 * TURN_S)

        await asyncio.gather(*(crew.do_in_turn(piece, name) for name in "abc"))
        loop.remove_reader(ours)
        ours.close()
        theirs.close()
        crew.close()

    asyncio.run(main())
    assert log.index("-") < log.index("c")


def test_as_many_jobs_run_at_once_as_there_are_threads():
    async def main() -> None:
        crew, all_of_them = Crew(2), threading.Barrier(ASIDE)
        await asyncio.gather(*(crew.do_aside(all_of_them.wait, 30) for _ in range(ASIDE)))
        crew.close()

    asyncio.run(main())


@pytest.mark.parametrize("way", WAYS)
def test_what_a_job_raises_reaches_whoever_waits_for_it(way):
    async def main() -> None:
        crew = Crew(2)
        with pytest.raises(ZeroDivisionError):
            await way(crew, divmod, 1, 0)
        with pytest.raises(RuntimeError, match="StopIteration"):
            await way(crew, next, iter(()))
        assert await way(crew, divmod, 7, 2) == (3, 1)
        crew.close()

    asyncio.run(main())


def test_a_job_that_is_withdrawn_before_it_begins_is_never_done():
    done: list[int] = []

    async def main() -> None:
        crew, open_ = Crew(2), threading.Event()
        first = [asyncio.create_task(crew.do_aside(open_.wait, 30)) for _ in range(ASIDE)]
        await asyncio.sleep(0)
        second = asyncio.create_task(crew.do_aside(done.append, 2))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.sleep(0)
        open_.set()
        assert all(await asyncio.gather(*first))
        await crew.do_aside(done.append, 3)
        crew.close()

    asyncio.run(main())
    assert done == [3]


def test_pieces_do_not_starve_where_the_loop_has_much_else_to_do():
    done: list[str] = []

    async def main() -> None:
        crew, loop = Crew(2), asyncio.get_running_loop()

        def much_else() -> None:
            time.sleep(0.02)
            done.append("else")
            if len(done) < 20:
                loop.call_soon(much_else)

        loop.call_soon(much_else)
        pieces = (crew.do_in_turn(lambda: done.append("piece")) for _ in range(12))
        await asyncio.gather(*pieces)
        crew.close()

    asyncio.run(main())
    last = len(done) - done[::-1].index("piece")
    assert done[:last].count("else") < 4, "a turn is long enough for all twelve: they take no time"


def test_a_piece_that_is_withdrawn_before_its_turn_is_never_done():
    done: list[int] = []

    async def main() -> None:
        crew = Crew(2)
        tasks = [asyncio.create_task(crew.do_in_turn(done.append, number)) for number in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await crew.do_in_turn(done.append, 3)
        crew.close()

    asyncio.run(main())
    assert done == [0, 2, 3]


def test_whoever_gives_up_waits_for_what_has_begun():
    async def main() -> None:
        crew, begun, open_ = Crew(2), threading.Event(), threading.Event()

        def work() -> None:
            begun.set()
            open_.wait(30)

        first = asyncio.create_task(crew.do_aside(work))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        first.cancel()
        await asyncio.sleep(0.05)
        assert not first.done()
        open_.set()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await crew.do_aside(int) == 0  # it hurts no other
        crew.close()

    asyncio.run(main())


def test_nothing_of_a_job_that_is_withdrawn_is_kept():
    class Upload:
        pass

    async def main() -> None:
        crew, open_, upload = Crew(2), threading.Event(), Upload()
        first = [asyncio.create_task(crew.do_aside(open_.wait, 30)) for _ in range(ASIDE)]
        await asyncio.sleep(0)
        gone = weakref.ref(upload)
        second = asyncio.create_task(crew.do_aside(id, upload))
        del upload
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        del second
        gc.collect()
        assert gone() is None
        open_.set()
        await asyncio.gather(*first)
        crew.close()

    asyncio.run(main())


@pytest.mark.parametrize("way", WAYS)
def test_nothing_of_a_job_that_fails_is_kept_even_without_a_collection(way):
    class Upload:
        pass

    def refuse(_: Upload) -> None:
        raise ValueError

    async def ask(crew: Crew) -> weakref.ref:
        upload = Upload()
        with pytest.raises(ValueError, match=r"^$"):
            await way(crew, refuse, upload)
        return weakref.ref(upload)

    async def main() -> None:
        crew = Crew(2)
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


@pytest.mark.parametrize("way", WAYS)
def test_it_takes_nothing_once_it_is_closed(way):
    async def main() -> None:
        crew = Crew(2)
        crew.close()
        with pytest.raises(RuntimeError, match="gone"):
            await way(crew, int)

    asyncio.run(main())


def test_what_waits_when_it_closes_is_withdrawn():
    async def main() -> None:
        crew, open_ = Crew(2), threading.Event()
        first = [asyncio.create_task(crew.do_aside(open_.wait, 30)) for _ in range(ASIDE)]
        await asyncio.sleep(0)
        second = asyncio.create_task(crew.do_aside(int))
        await asyncio.sleep(0)
        crew.close()
        open_.set()
        assert all(await asyncio.gather(*first))
        with pytest.raises(asyncio.CancelledError):
            await second

    asyncio.run(main())


@pytest.mark.parametrize("way", WAYS)
def test_nothing_of_a_job_is_kept_until_the_next_one(way):
    class Upload:
        pass

    async def main() -> None:
        crew, upload = Crew(2), Upload()
        gone = weakref.ref(upload)
        await way(crew, id, upload)
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
        task = asyncio.create_task(Crew(2).do_aside(work))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        task.cancel()

    asyncio.run(main())
    open_.set()
    threads[0].join(30)
    assert not threads[0].is_alive()
