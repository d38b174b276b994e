"""Whether the service grows, and whether it is well meanwhile: ``python -m benchmarks.growth``.

Twenty thousand requests of mixed lengths, from a tenth of a second to ten, as forms and as they are, some of
them refused, from as many clients as saturate it; `/healthz` is asked twenty times a second, from a process
of its own, which does not wait for those clients. Memory is read after every two thousand, and once more when
all are gone. Writes ``benchmarks/results/growth.json``.
"""

import asyncio
import json
import multiprocessing
import time
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import count, cycle
from pathlib import Path
from typing import Final

import httpx
from rich.console import Console

from benchmarks.length import recording
from benchmarks.serving import machine, served
from benchmarks.traffic import Client, at, form_request, predict_request
from service.memory import TRIM_S

RESULTS: Final = Path(__file__).resolve().parent / "results" / "growth.json"
REQUESTS: Final = 20_000
STEP: Final = 2_000
CLIENTS: Final = 48
LENGTHS: Final = (0.1, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 10)
RATES: Final = ((16_000, 1), (48_000, 1), (44_100, 2))
BAD: Final = (b"", b"RIFF", b"<html>", bytes(10_000))
HEALTH_S: Final = 0.05
LATER_S: Final = 2.5 * TRIM_S
"""After the last answer; by then what is free went back."""


def main() -> None:
    """Measure, print, write."""
    before, console = machine(), Console()
    with (
        served(log_level="warning") as server,
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool,
    ):
        port = int(server.url.rpartition(":")[2])
        idle, steps, health = server.rss_mb(), [], []
        for number in range(REQUESTS // STEP):
            started = time.perf_counter()
            working = pool.submit(run, port, number)
            health += waits(server.url, working)
            steps.append(
                {
                    "requests": (number + 1) * STEP,
                    "rss_mb": round(server.rss_mb(), 1),
                    "per_second": round(STEP / (time.perf_counter() - started), 1),
                    "statuses": working.result(),
                }
            )
            console.print(steps[-1])
        time.sleep(LATER_S)
        later = server.rss_mb()
    first, last = steps[0]["rss_mb"], steps[-1]["rss_mb"]
    report = {
        "command": "python -m benchmarks.growth",
        "machine": {**before, "load_average_at_the_end": machine()["load_average"]},
        "clients": CLIENTS,
        "idle_rss_mb": round(idle, 1),
        "steps": steps,
        "growth_from_2000_to_20000": round(last / first - 1, 4),
        "rss_mb_later": round(later, 1),
        "healthz_ms": {
            name: round(1e3 * at(health, share), 1)
            for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
        },
    }
    console.print({key: value for key, value in report.items() if key != "steps"})
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")


def waits(url: str, working: Future[dict[str, int]]) -> list[float]:
    """How many seconds `/healthz` takes, asked again and again while others work."""
    seconds = []
    with httpx.Client(base_url=url) as client:
        while not working.done():
            started = time.perf_counter()
            client.get("/healthz").raise_for_status()
            seconds.append(time.perf_counter() - started)
            time.sleep(HEALTH_S)
    return seconds


def run(port: int, number: int) -> dict[str, int]:
    """`STEP` requests from `CLIENTS`: how often each status came."""
    sounds = [recording(length, *rate) for length in LENGTHS for rate in RATES]
    kinds = [kind(data) for data in (*sounds, *BAD) for kind in (predict_request, form_request)]
    # Their number has no divisor in common with that of the clients: everybody sends all of them.
    following, left = cycle(kinds[number:] + kinds[:number]), count()
    client = Client(port)
    statuses: dict[str, int] = {}

    async def one() -> None:
        while next(left) < STEP:
            answer = await client.ask(next(following))
            statuses[str(answer.status)] = statuses.get(str(answer.status), 0) + 1

    async def everybody() -> None:
        await asyncio.gather(*(one() for _ in range(CLIENTS)))

    asyncio.run(everybody())
    return statuses


if __name__ == "__main__":
    main()
