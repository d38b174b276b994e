"""Do long recordings hold short ones up? ``python -m benchmarks.fairness``.

One client posts a clip of 3 s about a tenth of a second after it was answered, while others post half a
minute each, with the timeline, again and again: to a process with a thread for the network, and to one that
runs it on its event loop, as each of several workers does. Writes ``benchmarks/results/fairness.json``.
"""

import asyncio
import json
import random
import time
from itertools import chain
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from benchmarks.length import recording
from benchmarks.serving import machine, served
from benchmarks.traffic import Answer, Client, at, predict_request

RESULTS: Final = Path(__file__).resolve().parent / "results" / "fairness.json"
COMPANY: Final = (0, 1, 4, 16)
PROCESSORS: Final = {"a thread": 2, "a turn on the event loop": 1}
SHORT_S, LONG_S = 3.0, 30.0
PAUSE_S: Final = (0.05, 0.15)
"""Anything between: always the same, it would meet those who post long ones at the same point of their
round, or never there."""
SECONDS: Final = 10.0


def main() -> None:
    """Measure, print, write."""
    before, rows = machine(), []
    for name, processors in PROCESSORS.items():
        with served(threads=processors, workers=1, log_level="error") as server:
            port = int(server.url.rpartition(":")[2])
            asyncio.run(trial(port, 1, 1.0))
            rows += [
                {"network": name, **asyncio.run(trial(port, company, SECONDS))}
                for company in COMPANY
            ]
    report = {
        "command": "python -m benchmarks.fairness",
        "machine": before,
        "short_s": SHORT_S,
        "long_s": LONG_S,
        "rows": rows,
    }
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console().print(table)
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")


async def trial(port: int, company: int, seconds: float) -> dict[str, Any]:
    """How long short clips wait in the company of so many that post long ones; nothing is refused."""
    short = predict_request(recording(SHORT_S, 16_000, 1))
    long = predict_request(recording(LONG_S, 16_000, 1))
    long = long.replace(b"/predict ", b"/predict?segments=true ", 1)
    client, end = Client(port), time.perf_counter() + seconds

    async def again_and_again() -> list[Answer]:
        found = []
        while time.perf_counter() < end:
            found.append(await client.ask(long))
        return found

    others = [asyncio.create_task(again_and_again()) for _ in range(company)]
    answers, chance = [], random.Random(0)
    while time.perf_counter() < end:
        answers.append(await client.ask(short))
        await asyncio.sleep(chance.uniform(*PAUSE_S))
    of_long = [*chain(*await asyncio.gather(*others))]
    statuses = {each.status for each in (*of_long, *answers)}
    assert statuses == {200}, f"answered with {sorted(statuses)}"
    times = [1e3 * each.seconds for each in answers]
    return {
        "long_clients": company,
        "short_p50_ms": round(at(times, 0.5), 1),
        "short_max_ms": round(max(times), 1),
        "long_a_second": round(sum(each.at + each.seconds <= end for each in of_long) / seconds, 1),
    }


if __name__ == "__main__":
    main()
