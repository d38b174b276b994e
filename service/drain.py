"""The end of a process: it finishes what is in work and refuses the rest before it goes."""

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

LINGER_S: Final = 1.0
"""How long the port stays open at least, so that clients and load balancers hear a 503 that tells
them to go elsewhere, where they would otherwise find a closed connection."""


class Drain:
    """Whether the process is ending, and how many requests it still works on."""

    def __init__(self) -> None:
        self.under_way = 0
        self._begun = asyncio.Event()

    @property
    def begun(self) -> bool:
        """Whether nothing new is let in any more."""
        return self._begun.is_set()

    def begin(self) -> None:
        """Let nothing in any more."""
        self._begun.set()

    async def wait(self) -> None:
        """Return when the end has begun."""
        await self._begun.wait()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Something that is finished before the process ends."""
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1

    async def finish(self, within_s: float) -> None:
        """Return when nothing is under way, though not before `LINGER_S` and not after ``within_s``."""
        started = time.monotonic()
        while (passed := time.monotonic() - started) < within_s:
            if passed >= LINGER_S and not self.under_way:
                return
            await asyncio.sleep(0.02)


@contextmanager
def draining_on_sigterm(drain: Drain, within_s: float) -> Iterator[None]:
    """While the block lasts, SIGTERM begins the end; the server hears of it when all is finished.

    It has to be the server's handler that stands when the block is entered, as it does when an app
    starts. In any thread but the main one, to which signals do not come, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    servers = signal.getsignal(signal.SIGTERM)
    loop = asyncio.get_running_loop()
    ends: list[asyncio.Task[None]] = []

    async def end() -> None:
        await drain.finish(within_s)
        if callable(servers):
            servers(signal.SIGTERM, None)

    def begin() -> None:
        if not drain.begun:
            drain.begin()
            ends.append(loop.create_task(end()))

    signal.signal(signal.SIGTERM, lambda *_: loop.call_soon_threadsafe(begin))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, servers)
