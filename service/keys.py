"""Who may ask, and how often: API keys, where there are any, and the rate of each."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from fastapi.security import HTTPBearer
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import RateLimited, Unauthorized
from service.rates import Allowance, Rates
from service.refuse import refuse

KEY_SUBPROTOCOL: Final = "undertone.key."
"""What a browser offers with the key behind it, beside `service.observe.SUBPROTOCOL`: a script there
cannot set headers."""

OPEN: Final = frozenset({"/", "/docs", "/redoc", "/openapi.json", "/healthz", "/readyz"})
"""What needs no key: pages, which hold nothing that is not public, and whether the service lives."""

_STATIC: Final = "/static/"


class Keys:
    """Lets in who shows a key, as often as the rate allows; notes the key's name for the log.

    Of a key only its digest is kept, and one that is shown is compared with each, always all of
    them and in constant time: how long a refusal takes says nothing about how wrong it was.
    """

    def __init__(self, app: ASGIApp, keys: Mapping[str, str], rates: Rates | None = None) -> None:
        self._app = app
        self._digests = {name: _digest(key) for name, key in keys.items()}
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with a 401 or a 429."""
        if scope["type"] == "lifespan" or _is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        client = self._identify(_shown(scope))
        if client is None:
            error = Unauthorized(
                "This needs an API key, and none that is known was sent. "
                "Send it as 'Authorization: Bearer KEY'."
            )
            # The body that a stranger may be sending is not worth reading.
            await refuse(error, scope, receive, send, close=scope.get("method") == "POST")
            return
        scope["state"]["client"] = client
        if self._rates and (scope["type"] == "websocket" or scope["method"] == "POST"):
            await self._limited(self._rates, client, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _limited(
        self, rates: Rates, client: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        allowance = rates.take(client)
        send = _telling(rates, allowance, send)
        if allowance.granted:
            await self._app(scope, receive, send)
            return
        error = RateLimited(
            f"This key may be used {rates.per_minute} times a minute. "
            f"Try again in {allowance.wait_s} s.",
            allowance.wait_s,
            allowed={"per_minute": rates.per_minute},
        )
        await refuse(error, scope, receive, send, close=True)

    def _identify(self, shown: str) -> str | None:
        digest = _digest(shown)
        holder = None
        for name, known in self._digests.items():
            if hmac.compare_digest(digest, known):
                holder = name
        return holder


class KeyInDocuments(HTTPBearer):
    """A dependency of routes that says in OpenAPI how a key is sent; `Keys` is what asks for it."""

    async def __call__(self, connection: HTTPConnection) -> None:
        """Let everything through."""


def _is_open(path: str) -> bool:
    return path in OPEN or path.startswith(_STATIC)


def _digest(key: str) -> bytes:
    """What is compared instead of the key: of one length, whatever the length of the key."""
    return hashlib.sha256(key.encode()).digest()


def _shown(scope: Scope) -> str:
    """The key that came with a request; empty where none did."""
    headers = Headers(scope=scope)
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    if key := headers.get("x-api-key"):
        return key
    offered = (each for each in scope.get("subprotocols", ()) if each.startswith(KEY_SUBPROTOCOL))
    return str(next(offered, "")).removeprefix(KEY_SUBPROTOCOL)


def _telling(rates: Rates, allowance: Allowance, send: Send) -> Send:
    """``send``, which says what is left, after draft-ietf-httpapi-ratelimit-headers-10."""

    async def telling_send(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["ratelimit-policy"] = f'"key";q={rates.per_minute};w=60'
            headers["ratelimit"] = f'"key";r={allowance.remaining};t={allowance.wait_s}'
        await send(message)

    return telling_send
