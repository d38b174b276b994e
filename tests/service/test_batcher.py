import asyncio
import gc
import math
import threading
import weakref

import numpy as np
import pytest

from service.batcher import MAX_ROWS, Batcher, Rows
from service.crew import Crew
from service.errors import Overloaded


class Engine:
    """Answers with the sum of each row, once it is let; remembers how large its batches were."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.values: list[set[float]] = []
        self.free = threading.Event()
        self.free.set()

    def infer(self, features: Rows) -> Rows:
        assert self.free.wait(30)
        self.batches.append(len(features))
        self.values.append(set(features[:, 0, 0].tolist()))
        if np.isnan(features).any():
            raise ArithmeticError("not a number")
        return features.sum(axis=(1, 2))[:, np.newaxis]


def rows(n: int, value: float = 1.0) -> Rows:
    return np.full((n, 2, 3), value, np.float32)


async def ask(batcher: Batcher, *questions: Rows) -> list[asyncio.Task[Rows]]:
    """The questions, each one put."""
    tasks = [asyncio.create_task(batcher.infer(question)) for question in questions]
    await asyncio.sleep(0)
    return tasks


def run(scenario) -> Engine:
    """The engine, once the scenario is over in which a single thread calls it."""
    engine = Engine()

    async def main() -> None:
        crew = Crew(2)
        batcher = Batcher(engine.infer, crew)
        try:
            await asyncio.wait_for(scenario(batcher, engine), 30)
        finally:
            engine.free.set()
            batcher.close()
            crew.close()

    asyncio.run(main())
    return engine


def test_a_lone_question_goes_at_once():
    async def scenario(batcher, engine):
        assert (await batcher.infer(rows(1, 2.0))).tolist() == [[12.0]]
        assert (await batcher.infer(rows(2, 1.0))).tolist() == [[6.0], [6.0]]

    assert run(scenario).batches == [1, 2]


def test_what_waited_goes_together_and_each_gets_its_own_answer():
    async def scenario(batcher, engine):
        engine.free.clear()
        tasks = await ask(batcher, rows(1, 1), rows(1, 2), rows(3, 3), rows(2, 4))
        assert len(batcher) == 3  # the first went at once
        engine.free.set()
        answers = await asyncio.gather(*tasks)
        assert [answer.tolist() for answer in answers] == [
            [[6.0]],
            [[12.0]],
            [[18.0]] * 3,
            [[24.0]] * 2,
        ]

    assert run(scenario).batches == [1, 6]


def test_a_batch_is_not_filled_beyond_what_the_engine_takes_at_once():
    async def scenario(batcher, engine):
        engine.free.clear()
        tasks = await ask(
            batcher, rows(1), rows(MAX_ROWS - 1), rows(2), rows(MAX_ROWS + 2), rows(1)
        )
        engine.free.set()
        answers = await asyncio.gather(*tasks)
        assert [len(answer) for answer in answers] == [1, MAX_ROWS - 1, 2, MAX_ROWS + 2, 1]

    assert run(scenario).batches == [1, MAX_ROWS, MAX_ROWS, 4]


def test_a_long_question_holds_a_short_one_up_for_one_batch_at_most():
    async def scenario(batcher, engine):
        engine.free.clear()
        (long,) = await ask(batcher, rows(5 * MAX_ROWS, 2))
        other, short = await ask(batcher, rows(3 * MAX_ROWS, 3), rows(1, 4))
        engine.free.set()
        assert (await short).tolist() == [[24.0]]
        assert (await long).tolist() == [[12.0]] * 5 * MAX_ROWS
        assert (await other).tolist() == [[18.0]] * 3 * MAX_ROWS

    engine = run(scenario)
    assert engine.values[:3] == [{2.0}, {2.0, 3.0, 4.0}, {2.0, 3.0}]
    assert engine.batches == [MAX_ROWS] * 8 + [1]


def test_batches_of_one_question_may_overtake_each_other():
    overtaken = threading.Event()

    def infer(features: Rows) -> Rows:
        if features[0, 0, 0] == 0:
            assert overtaken.wait(30)
        else:
            overtaken.set()
        return features[:, 0]

    async def main() -> None:
        crew = Crew(3)  # two for the network, one for the loop
        values = np.arange(2.0 * MAX_ROWS + 3, dtype=np.float32)
        question = np.broadcast_to(values[:, np.newaxis, np.newaxis], (len(values), 2, 3))
        answer = await asyncio.wait_for(Batcher(infer, crew).infer(question), 30)
        assert answer[:, 0].tolist() == values.tolist()
        crew.close()

    asyncio.run(main())


def test_one_processor_answers_all_and_keeps_nothing_of_what_fails():
    async def main() -> None:
        engine, crew = Engine(), Crew(1)
        batcher = Batcher(engine.infer, crew)
        answers = await asyncio.gather(*await ask(batcher, *map(rows, (1, MAX_ROWS + 2, 3))))
        assert [len(answer) for answer in answers] == [1, MAX_ROWS + 2, 3]
        assert engine.batches == [MAX_ROWS, 6]

        features = rows(1, math.nan)
        gone = weakref.ref(features)
        with pytest.raises(ArithmeticError):
            await batcher.infer(features)
        del features
        await asyncio.sleep(0)
        assert gone() is None
        assert len(await batcher.infer(rows(1))) == 1
        batcher.close()
        crew.close()

    gc.disable()
    try:
        asyncio.run(asyncio.wait_for(main(), 30))
    finally:
        gc.enable()


def test_what_waits_when_it_ends_is_withdrawn():
    async def main():
        engine = Engine()
        engine.free.clear()
        crew = Crew(2)
        batcher = Batcher(engine.infer, crew)
        tasks = await ask(batcher, rows(1), rows(1))
        batcher.close()
        engine.free.set()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert len(done[0]) == 1
        assert isinstance(done[1], asyncio.CancelledError)
        crew.close()
        for late in (batcher, Batcher(engine.infer, crew)):
            with pytest.raises(RuntimeError, match="gone"):
                await late.infer(rows(1))

    asyncio.run(main())


def test_more_questions_than_rows_are_answered_in_turn():
    async def scenario(batcher, engine):
        engine.free.clear()
        tasks = await ask(batcher, *[rows(2, value) for value in range(MAX_ROWS + 8)])
        engine.free.set()
        for value, answer in enumerate(await asyncio.gather(*tasks)):
            assert answer.tolist() == [[6.0 * value]] * 2

    assert sum(run(scenario).batches) == 2 * (MAX_ROWS + 8)


def test_the_queue_is_bounded(monkeypatch):
    monkeypatch.setattr("service.batcher.MAX_WAITING", 2)

    async def scenario(batcher, engine):
        engine.free.clear()
        tasks = await ask(batcher, rows(1), rows(1), rows(1))
        with pytest.raises(Overloaded):
            await batcher.infer(rows(1))
        engine.free.set()
        await asyncio.gather(*tasks)

    run(scenario)


def test_batches_and_waits_are_told():
    told = {"batches": [], "waits": []}

    async def main():
        crew = Crew(2)
        batcher = Batcher(Engine().infer, crew, told["batches"].append, told["waits"].append)
        await batcher.infer(rows(MAX_ROWS + 1))
        crew.close()

    asyncio.run(main())
    assert told["batches"] == [MAX_ROWS, 1]
    assert len(told["waits"]) == 1
    assert told["waits"][0] >= 0


def test_a_withdrawn_question_is_not_computed():
    async def scenario(batcher, engine):
        engine.free.clear()
        first, second, third = await ask(batcher, rows(1), rows(4), rows(2))
        second.cancel()
        await asyncio.sleep(0)
        engine.free.set()
        assert len(await first) == 1
        assert len(await third) == 2
        assert second.cancelled()

    assert run(scenario).batches == [1, 2]


def test_one_that_is_withdrawn_while_it_is_computed_hurts_no_other():
    async def scenario(batcher, engine):
        engine.free.clear()
        (first,) = await ask(batcher, rows(1))
        first.cancel()
        (second,) = await ask(batcher, rows(2))
        engine.free.set()
        assert len(await second) == 2

    assert run(scenario).batches == [1, 2]


def test_a_failure_reaches_those_of_its_batch_and_no_other():
    async def scenario(batcher, engine):
        with pytest.raises(ArithmeticError):
            await batcher.infer(rows(1, np.nan))
        assert len(await batcher.infer(rows(1))) == 1

    assert run(scenario).batches == [1, 1]
