"""How long requests wait in theory: ``python -m benchmarks.queues``.

No service, but what queueing theory says of any: requests at random times (Poisson), first come, first
served. First, of requests that are one unit of work each, the 99th percentile of the time until an answer,
in medians: a service that does better than this has time in it that is no work. Then what comes first on a
processor that prepares clips, one at a time, and runs the network on what it has prepared, in batches:
`service.crew` has to choose. Writes ``benchmarks/results/queues.json``.
"""

import heapq
import json
import random
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from benchmarks.traffic import at
from undertone.engine import MAX_ROWS

RESULTS: Final = Path(__file__).resolve().parent / "results" / "queues.json"
LOADS: Final = (0.5, 0.6, 0.7)
SHAPES: Final = {
    "a queue for each processor": (1, False),
    "one queue for two processors": (2, False),
    "no queue: all share a processor": (1, True),
}
REQUESTS: Final = 400_000
BUSY: Final = (0.6, 0.8)
"""Of what a processor can do with full batches."""

PREPARE_MS: Final = 4.0
"""What a clip costs before the network, with all that is HTTP."""

CALL_MS: Final = 0.6
"""What a batch costs beyond its rows."""

ROW_MS: Final = 2.0
RULES: Final[dict[str, Callable[[int], int]]] = {
    "once nothing waits to be prepared": lambda waiting: MAX_ROWS if waiting else 1,
    "once more is prepared than waits to be": lambda waiting: min(waiting + 1, MAX_ROWS),
    "after every clip": lambda _: 1,
}
"""When the network is run: how many clips make a batch, by how many wait to be prepared."""


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
        "costs_ms": {"prepare": PREPARE_MS, "call": CALL_MS, "row": ROW_MS},
        "network_ms": {
            name: {
                f"{load:g}": {
                    f"p{share}": round(at(times, share / 100), 1) for share in (50, 95, 99)
                }
                for load in BUSY
                for times in [alternating(load, batch)]
            }
            for name, batch in RULES.items()
        },
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


def alternating(load: float, batch: Callable[[int], int]) -> list[float]:
    """Milliseconds until an answer where one processor prepares a clip, or runs the network, at a time."""
    chance = random.Random(0)
    full_ms = PREPARE_MS + ROW_MS + CALL_MS / MAX_ROWS
    comes, now, times = 0.0, 0.0, []
    waiting: deque[float] = deque()
    prepared: list[float] = []
    while len(times) < REQUESTS:
        while comes <= now or not (waiting or prepared):
            now = max(now, comes)
            waiting.append(comes)
            comes += chance.expovariate(load / full_ms)
        if len(prepared) >= batch(len(waiting)):
            now += CALL_MS + ROW_MS * len(prepared)
            times.extend(now - came for came in prepared)
            prepared.clear()
        else:
            now += PREPARE_MS
            prepared.append(waiting.popleft())
    return times


def ratio(times: list[float]) -> float:
    """The 99th percentile, in medians."""
    return round(at(times, 0.99) / at(times, 0.5), 2)


if __name__ == "__main__":
    main()
