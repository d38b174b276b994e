"""Work for nobody is not done: it is cancelled when the client goes away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from starlette.types import Receive

from service.errors import ClientGone

Result = TypeVar("Result")


async def unless_gone(receive: Receive, work: Callable[[], Awaitable[Result]]) -> Result:
    """What ``work`` returns, for a request whose body was read to its end.

    Args:
        receive: of the request; it goes on to say when the client is gone.
        work: what is cancelled then.

    Raises:
        ClientGone: the client closed the connection, and ``work`` was cancelled.
    """
    with anyio.CancelScope() as scope:
        watch = asyncio.create_task(_cancel_when_gone(receive, scope))
        try:
            return await work()
        finally:
            watch.cancel()
    raise ClientGone("The connection was closed before the answer was there.")


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
