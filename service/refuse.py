"""How a request is turned away before any route sees it, whether it came as HTTP or as WebSocket."""

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from service.problems import close_code, problem, problem_message
from undertone.errors import UndertoneError


async def refuse(
    error: UndertoneError, scope: Scope, receive: Receive, send: Send, *, close: bool = False
) -> None:
    """Answer with the problem that ``error`` is.

    A WebSocket is accepted first, because a browser tells a script nothing of one that is not: it
    gets the problem as its only message, and then the close code of its status.

    Args:
        error: why.
        scope: of the request, with its id.
        receive: of the request.
        send: of the request.
        close: whether to end the connection, where it could go on after the answer.
    """
    request_id = scope["state"]["request_id"]
    if scope["type"] == "http":
        await problem(error, request_id)(scope, receive, closing(send) if close else send)
        return
    await receive()
    await send({"type": "websocket.accept"})
    await end_stream(error, request_id, send)


async def end_stream(error: UndertoneError, request_id: str, send: Send) -> None:
    """Say over an accepted WebSocket what went wrong, and close it with the code of its status."""
    await send({"type": "websocket.send", "text": problem_message(error, request_id)})
    await send({"type": "websocket.close", "code": close_code(error)})


def closing(send: Send) -> Send:
    """``send``, which also says that the connection ends with this answer."""

    async def closing_send(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["connection"] = "close"
        await send(message)

    return closing_send
