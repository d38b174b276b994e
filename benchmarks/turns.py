"""Where to prepare sound, on the event loop, in threads or by a helper: ``python -m benchmarks.turns``.

The clips are decoded and their features taken, as the service does it, while the loop has other things to
do (a hundred small tasks for each clip, as HTTP makes them). Told are clips a second, processor time for
each, and how late a timer of the loop comes, which is how long `/healthz` would wait. Writes
``benchmarks/results/turns.json``.
"""

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks import MODEL, tree
from benchmarks.compare import recordings
from benchmarks.serving import machine
from benchmarks.traffic import at
from service.app import SWITCH_S
from service.crew import ASIDE, Crew
from service.helpers import Helpers
from service.preparation import decode_and_begin
from undertone.bundle import open_bundle
from undertone.limits import Limits
from undertone.spec import Spec

RESULTS: Final = Path(__file__).resolve().parent / "results" / "turns.json"
ROUNDS: Final = 5
CLIPS: Final = 300
AT_ONCE: Final = 32
SMALL_TASKS: Final = 100
TICK_S: Final = 0.005
LIMITS: Final = Limits()
BEGIN_S: Final = 0.05
"""In which all clients begin at once; no loop is in time then."""

Way = Callable[[Crew, Helpers, bytes, Spec], Awaitable[Any]]

WAYS: Final[dict[str, Way]] = {
    "on the loop, a clip a turn": lambda crew, _, *clip: crew.do_in_turn(
        decode_and_begin, *clip, LIMITS, False
    ),
    f"in {ASIDE} threads": lambda crew, _, *clip: crew.do_aside(
        decode_and_begin, *clip, LIMITS, False
    ),
    "by a helper": lambda _, helpers, *clip: helpers.prepare(*clip),
}


def main() -> None:
    """Measure, print, write."""
    sys.setswitchinterval(SWITCH_S)
    before, clips, spec = machine(), recordings(), open_bundle(MODEL).manifest.spec
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in WAYS}
    for _ in range(ROUNDS):
        for name, way in WAYS.items():
            rounds[name].append(uvloop.run(measure(way, clips, spec)))
    medians = {
        name: {key: round(statistics.median(each[key] for each in found), 2) for key in found[0]}
        for name, found in rounds.items()
    }
    table = Table("", *next(iter(medians.values())))
    for name, each in medians.items():
        table.add_row(name, *(f"{value:g}" for value in each.values()))
    Console().print(table)
    report = {"command": "python -m benchmarks.turns", "machine": before, "median": medians}
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")


async def measure(way: Way, clips: list[bytes], spec: Spec) -> dict[str, float]:
    """One round of one way."""
    crew, helpers = Crew(2), Helpers(1, LIMITS)
    await helpers.open()
    late, left = list[float](), iter(range(CLIPS))

    async def watch() -> None:
        while True:
            due = time.perf_counter() + TICK_S
            await asyncio.sleep(TICK_S)
            late.append(time.perf_counter() - due)

    async def nothing() -> None:
        await asyncio.sleep(0)

    async def client() -> None:
        for number in left:
            await asyncio.gather(*(nothing() for _ in range(SMALL_TASKS)))
            await way(crew, helpers, clips[number % len(clips)], spec)

    cpu, wall = tree.cpu_s(os.getpid()), time.perf_counter()
    clients = [asyncio.create_task(client()) for _ in range(AT_ONCE)]
    await asyncio.sleep(BEGIN_S)
    watching = asyncio.create_task(watch())
    await asyncio.gather(*clients)
    watching.cancel()
    wall, cpu = time.perf_counter() - wall, tree.cpu_s(os.getpid()) - cpu
    crew.close()
    helpers.close()
    return {
        "clips_a_second": CLIPS / wall,
        "cpu_ms_a_clip": 1e3 * cpu / CLIPS,
        "loop_late_ms_p50": 1e3 * at(late, 0.5),
        "loop_late_ms_p99": 1e3 * at(late, 0.99),
    }


if __name__ == "__main__":
    main()
