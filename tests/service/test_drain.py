import asyncio
import signal

import pytest

from service import drain as drains
from service.drain import Drain, draining_on_sigterm


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drains, "LINGER_S", 0.05)


def run(scenario) -> list[int]:
    """What the server that stands behind the drain was told."""
    told: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    try:
        asyncio.run(asyncio.wait_for(scenario(told), 30))
    finally:
        signal.signal(signal.SIGTERM, before)
    return told


async def until(condition) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def test_the_server_hears_of_the_end_when_all_is_finished():
    async def scenario(told):
        drain = Drain()
        with draining_on_sigterm(drain, within_s=30):
            with drain.working():
                signal.raise_signal(signal.SIGTERM)
                await drain.wait()
                signal.raise_signal(signal.SIGTERM)  # told twice, it does not hurry
                await asyncio.sleep(0.1)
                assert told == []
            await until(lambda: told)

    assert run(scenario) == [signal.SIGTERM]


def test_it_does_not_wait_forever():
    async def scenario(told):
        drain = Drain()
        with draining_on_sigterm(drain, within_s=0.1), drain.working():
            signal.raise_signal(signal.SIGTERM)
            await until(lambda: told)

    assert run(scenario) == [signal.SIGTERM]


def test_afterwards_the_servers_handler_is_back():
    async def scenario(told):
        servers = signal.getsignal(signal.SIGTERM)
        with draining_on_sigterm(Drain(), within_s=30):
            assert signal.getsignal(signal.SIGTERM) is not servers
        assert signal.getsignal(signal.SIGTERM) is servers

    assert run(scenario) == []
