"""Valid WAV files, changed at random, read by our walk and by libsndfile."""

import time
from collections import Counter
from typing import Any, Final

from hypothesis import HealthCheck, given, settings

from tests.support.reference import Reference, files

EXAMPLES: Final = 20_000
HANG_S: Final = 1.0


def measure() -> dict[str, Any]:
    """How often both read the same; how long the slowest took, libsndfile and the way there included.

    Raises:
        AssertionError: both took a file, and for different sounds, or it took `HANG_S`.
    """
    outcomes: Counter[str] = Counter()
    slowest = 0.0

    with Reference() as reference:

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(files())
        def compare(data: bytes) -> None:
            nonlocal slowest
            started = time.perf_counter()
            outcomes[reference.compare(data)] += 1
            slowest = max(slowest, time.perf_counter() - started)

        compare()
    assert slowest < HANG_S, slowest
    return {"files": outcomes.total(), **outcomes, "slowest_ms": round(1e3 * slowest, 1)}
