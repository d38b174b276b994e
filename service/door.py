"""How connections come in where several processes listen on one socket: a few to each, most to who is free.

An event loop takes all connections that wait, as soon as there is one. Of a crowd that comes at once, the
process that happens to run would have nearly everybody, for as long as they keep their connections: of
several processors, one. Here a process takes one, or a few where many wait, and then leaves it to the others
for a moment to take the next; who has more to do comes back later, and takes fewer.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any, Final

TURN_S: Final = 0.002
"""How long the others have to take the next; a loop counts in milliseconds."""

MOST: Final = 4
"""Connections taken at once. It begins with one, and each time that others left some, it is twice as many."""

PAUSE_S: Final = 1.0
"""How long no connection is taken where there is no room for one, as where too many files are open."""

_log = logging.getLogger("undertone")


class Door:
    """A listening socket, as uvicorn knows it: an `asyncio.Server` that is open until it is closed."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol: Callable[[], asyncio.BaseProtocol],
        listening: socket.socket,
        backlog: int,
    ) -> None:
        self._loop = loop
        self._protocol = protocol
        self._listening = listening
        self._entering: set[asyncio.Task[Any]] = set()
        self._is_open = True
        self._at_once = 1
        listening.setblocking(False)
        listening.listen(backlog)
        self._watch()

    def close(self) -> None:
        """Take no more; the socket itself is closed by whoever made it."""
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._listening)

    async def wait_closed(self) -> None:
        """Those that were taken have entered."""
        if self._entering:
            await asyncio.wait(self._entering)

    def _watch(self) -> None:
        if self._is_open:
            self._loop.add_reader(self._listening, self._take)

    def _leave_it_for(self, seconds: float) -> None:
        self._loop.remove_reader(self._listening)
        self._loop.call_later(seconds, self._watch)

    def _take(self) -> None:
        try:
            for _ in range(self._at_once):
                connection, _ = self._listening.accept()
                self._let_in(connection)
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            self._at_once = 1  # nobody waits, or the client is gone
        except OSError as error:
            _log.error("no connection is taken", extra={"fields": {"reason": error.strerror}})
            self._leave_it_for(PAUSE_S)
        else:
            self._at_once = min(2 * self._at_once, MOST)
            self._leave_it_for(TURN_S)

    def _let_in(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        task = self._loop.create_task(
            self._loop.connect_accepted_socket(self._protocol, connection)
        )
        self._entering.add(task)
        task.add_done_callback(self._entering.discard)


def new_loop() -> asyncio.AbstractEventLoop:
    """The loop that uvicorn would take, but with a `Door` for each socket that it is given."""
    base: Any = _base()

    class Loop(base):  # type: ignore[misc]  # which of them, is known when it runs
        async def create_server(
            self,
            protocol_factory: Callable[[], asyncio.BaseProtocol],
            *arguments: Any,
            sock: socket.socket | None = None,
            backlog: int = 100,
            **options: Any,
        ) -> Any:
            if sock is not None:
                return Door(self, protocol_factory, sock, backlog)
            return await super().create_server(
                protocol_factory, *arguments, backlog=backlog, **options
            )

    loop: asyncio.AbstractEventLoop = Loop()
    return loop


def _base() -> type[asyncio.AbstractEventLoop]:
    try:
        from uvloop import Loop
    except ImportError:
        return asyncio.SelectorEventLoop
    return Loop
