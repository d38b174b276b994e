import asyncio
import threading

import numpy as np
import pytest

from service.batcher import MAX_ROWS, Batcher, Rows


class Engine:
    """Answers with the sum of each row, once it is let; remembers how large its batches were."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.free = threading.Event()
        self.free.set()

    def infer(self, features: Rows) -> Rows:
        assert self.free.wait(30)
        self.batches.append(len(features))
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
    engine = Engine()

    async def main() -> None:
        batcher = Batcher(engine.infer)
        try:
            await asyncio.wait_for(scenario(batcher, engine), 30)
        finally:
            engine.free.set()
            batcher.close()

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
        assert len(batcher) == 3
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
            batcher, rows(1), rows(MAX_ROWS - 1), rows(2), rows(MAX_ROWS + 8), rows(1)
        )
        engine.free.set()
        answers = await asyncio.gather(*tasks)
        assert [len(answer) for answer in answers] == [1, MAX_ROWS - 1, 2, MAX_ROWS + 8, 1]

    assert run(scenario).batches == [1, MAX_ROWS - 1, 2, MAX_ROWS + 8, 1]


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
