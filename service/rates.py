"""How often somebody may ask: a bucket of tokens for each client, refilled all the time."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left to a client.

    Attributes:
        granted: whether this request may go on.
        remaining: how many more may follow it at once.
        wait_s: seconds until there is one more.
    """

    granted: bool
    remaining: int
    wait_s: int


class Rates:
    """Lets each client ask ``per_minute`` times at once, and as often again in each minute."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute = per_minute
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def take(self, client: str) -> Allowance:
        """One token for ``client``, if there is one."""
        now = self._clock()
        bucket = self._buckets.setdefault(client, _Bucket(self.per_minute, now))
        per_second = self.per_minute / 60
        bucket.tokens = min(self.per_minute, bucket.tokens + per_second * (now - bucket.filled_at))
        bucket.filled_at = now
        granted = bucket.tokens >= 1
        bucket.tokens -= granted
        missing = max(0.0, 1 - bucket.tokens)
        return Allowance(granted, int(bucket.tokens), ceil(missing / per_second))
