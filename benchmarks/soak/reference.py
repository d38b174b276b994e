"""Valid WAV files, changed at random, read by our walk and by libsndfile."""

import time
from collections import Counter
from contextlib import suppress
from typing import Any, Final

from hypothesis import HealthCheck, given, settings

from tests.support.reference import Reference, files
from undertone import wav
from undertone.errors import AudioError

EXAMPLES: Final = 5_000
HANG_S: Final = 1.0


def measure() -> dict[str, Any]:
    """How often both read the same; how long our walk took at most, in time of the processor.

    Raises:
        AssertionError: both took a file, and for different sounds, or we took `HANG_S`.
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
            started = time.process_time()
            with suppress(AudioError):
                wav.samples(data, wav.parse(data))
            slowest = max(slowest, time.process_time() - started)
            outcomes[reference.compare(data)] += 1

        compare()
    assert slowest < HANG_S, slowest
    return {
        "files": outcomes.total(),
        **outcomes,
        "libsndfile_hung_or_died": reference.restarts,
        "slowest_ms": round(1e3 * slowest, 1),
    }
