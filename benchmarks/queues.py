"""How long the unluckiest waits where every request costs the same: ``python -m benchmarks.queues``.

No service, but what queueing theory says of any: requests at random times (Poisson), each of them one unit
of work, first come, first served. The 99th percentile of the time until an answer, in medians: a service
that does better than this has time in it that is no work. Writes ``benchmarks/results/queues.json``.
"""

import heapq
import json
import random
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from benchmarks.traffic import at

RESULTS: Final = Path(__file__).resolve().parent / "results" / "queues.json"
LOADS: Final = (0.5, 0.6, 0.7)
SHAPES: Final = {
    "a queue for each processor": (1, False),
    "one queue for two processors": (2, False),
    "no queue: all share a processor": (1, True),
}
REQUESTS: Final = 400_000


def main() -> None:
    """Draw, print, write."""
    found = {
        name: {
            f"{load:g}": ratio(sharing(load) if shared else queueing(load, processors))
            for load in LOADS
        }
        for name, (processors, shared) in SHAPES.items()
    }
    report: dict[str, Any] = {
        "command": "python -m benchmarks.queues",
        "requests": REQUESTS,
        "p99_by_p50": found,
    }
    Console().print(report)
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")


def queueing(load: float, processors: int) -> list[float]:
    """Times until an answer where each request has one of the processors to itself (M/D/c)."""
    chance, now, times = random.Random(0), 0.0, []
    free = [0.0] * processors
    for _ in range(REQUESTS):
        now += chance.expovariate(load * processors)
        done = max(now, heapq.heappop(free)) + 1
        heapq.heappush(free, done)
        times.append(done - now)
    return times


def sharing(load: float) -> list[float]:
    """Times until an answer where all that are there get on equally fast (M/D/1, processor sharing)."""
    chance, now, served = random.Random(0), 0.0, 0.0
    under_way: list[tuple[float, float]] = []  # how much everybody must have got, and when it came
    times: list[float] = []
    for _ in range(REQUESTS):
        comes = now + chance.expovariate(load)
        while under_way and (ends := now + (under_way[0][0] - served) * len(under_way)) <= comes:
            served, came = heapq.heappop(under_way)
            now = ends
            times.append(now - came)
        if under_way:
            served += (comes - now) / len(under_way)
        now = comes
        heapq.heappush(under_way, (served + 1, now))
    return times


def ratio(times: list[float]) -> float:
    """The 99th percentile, in medians."""
    return round(at(times, 0.99) / at(times, 0.5), 2)


if __name__ == "__main__":
    main()
