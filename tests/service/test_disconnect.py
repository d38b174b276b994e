import asyncio

import pytest

from service.disconnect import unless_gone
from service.errors import ClientGone


def receiving(disconnected: asyncio.Event):
    async def receive():
        await disconnected.wait()
        return {"type": "http.disconnect"}

    return receive


def test_work_for_a_client_that_waits_is_done():
    async def main():
        async def work():
            await asyncio.sleep(0)
            return "done"

        return await unless_gone(receiving(asyncio.Event()), work)

    assert asyncio.run(main()) == "done"


def test_work_for_a_client_that_went_is_cancelled():
    cancelled = []

    async def main():
        disconnected = asyncio.Event()

        async def work():
            disconnected.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(True)
                raise

        await asyncio.wait_for(unless_gone(receiving(disconnected), work), 30)

    with pytest.raises(ClientGone):
        asyncio.run(main())
    assert cancelled == [True]


def test_a_failure_stays_what_it_is():
    async def main():
        async def work():
            raise ArithmeticError("one and one")

        await unless_gone(receiving(asyncio.Event()), work)

    with pytest.raises(ArithmeticError, match="one and one"):
        asyncio.run(main())
