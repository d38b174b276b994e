"""A service that says nothing on a stream: whether it has nothing to say, or is not there any more."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from socket import SHUT_RDWR
from typing import Final

from websockets.asyncio.client import ClientConnection as AsyncConnection
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK
from websockets.sync.client import ClientConnection
from websockets.typing import Data

CLOSE_S: Final = 10.0
"""How long a service may take to say goodbye."""


def received(socket: ClientConnection, timeout_s: float) -> Iterator[Data]:
    """What the service says, until it closes the stream in good order.

    It may have nothing to say for as long as nobody speaks. So a silence is asked about, after half of
    the time, with a ping; the service answers it once it has taken the sound before it.

    Raises:
        TimeoutError: no answer either in the other half; the connection is dropped.
        ConnectionClosed: it was lost, or closed with a code.
    """
    while True:
        try:
            yield _next(socket, timeout_s / 2)
        except ConnectionClosedOK:
            return
        except TimeoutError:
            with suppress(OSError):  # it is not there any more
                socket.socket.shutdown(SHUT_RDWR)  # a goodbye would wait behind what is not taken
            raise


def _next(socket: ClientConnection, half_s: float) -> Data:
    while True:
        with suppress(TimeoutError):
            return socket.recv(half_s)
        answered = socket.ping()
        try:
            return socket.recv(half_s)
        except TimeoutError:
            if not answered.is_set():
                raise


async def received_async(socket: AsyncConnection, timeout_s: float) -> AsyncIterator[Data]:
    """As `received`."""
    while True:
        try:
            yield await _next_async(socket, timeout_s / 2)
        except ConnectionClosedOK:
            return
        except TimeoutError:
            socket.transport.abort()
            raise


async def _next_async(socket: AsyncConnection, half_s: float) -> Data:
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(half_s):
                return await socket.recv()
        asking = asyncio.create_task(_ask_async(socket))
        try:
            async with asyncio.timeout(half_s):
                return await socket.recv()
        except TimeoutError:
            if not asking.done():
                raise
        finally:
            asking.cancel()


async def _ask_async(socket: AsyncConnection) -> None:
    """Wait for the answer to a ping; even that is sent only once there is room for it."""
    with suppress(ConnectionClosed):
        await (await socket.ping())


async def close_async(socket: AsyncConnection) -> None:
    """Say goodbye, to a service that takes it; websockets alone would wait for ever for room for it."""
    try:
        async with asyncio.timeout(CLOSE_S):
            await socket.close()
    except TimeoutError:
        socket.transport.abort()
