"""Work for nobody is not done: it is cancelled when the client goes away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from starlette.requests import Request

from service.errors import ClientGone

Result = TypeVar("Result")


async def unless_gone(request: Request, work: Callable[[], Awaitable[Result]]) -> Result:
    """What ``work`` returns, for a request whose body was read to its end.

    Raises:
        ClientGone: the client closed the connection, and ``work`` was cancelled.
    """
    with anyio.CancelScope() as scope:
        watch = asyncio.create_task(_cancel_when_gone(request, scope))
        try:
            return await work()
        finally:
            watch.cancel()
    raise ClientGone("The connection was closed before the answer was there.")


async def _cancel_when_gone(request: Request, scope: anyio.CancelScope) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
