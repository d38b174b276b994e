"""Work for nobody is not done: it is cancelled when the client goes away."""

from collections.abc import Awaitable, Callable

import anyio
from starlette.requests import Request

from service.errors import ClientGone


async def unless_gone[T](request: Request, work: Callable[[], Awaitable[T]]) -> T:
    pass
