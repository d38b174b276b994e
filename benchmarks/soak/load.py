"""Four times as many requests as the service can answer, for five minutes.

The load and the questions after its health come from processes of their own. ``SECONDS`` makes it
shorter. What must not be raises; what depends on how busy the machine is otherwise stands under ``held``.
"""

import asyncio
import multiprocessing
import os
import statistics
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from http.client import HTTPConnection
from typing import Any, Final

from benchmarks.soak.process import resident_mb, serving
from benchmarks.traffic import CLIP, Answer, Client, at, closed_loop, open_loop, predict_request

SECONDS: Final = float(os.environ.get("SECONDS", "300"))
SATURATION_S: Final = min(20.0, SECONDS)
TIMES: Final = 4
CLIENTS: Final = 64
DEADLINE_S: Final = 30
HEALTH_MS: Final = 100


def measure() -> dict[str, Any]:
    """What came back, how long it took, and what the process looked like meanwhile.

    Raises:
        RuntimeError: an answer was neither a 200 nor a 503 that says when to come again, or it came
            after the deadline.
    """
    spawn = multiprocessing.get_context("spawn")
    with (
        serving(deadline_s=DEADLINE_S) as process,
        ProcessPoolExecutor(2, spawn) as pool,
    ):
        pid, port = process.popen.pid, process.port
        pool.submit(run_alone, port, 20).result()  # the first requests of a process are slower
        before = _alone(pool, port)
        reached = pool.submit(run_closed, port, CLIENTS, SATURATION_S).result()
        per_second = len([each for each in reached if each.status == 200]) / SATURATION_S
        load = pool.submit(run_open, port, TIMES * per_second, SECONDS)
        health = pool.submit(run_health, port, SECONDS)
        memory = []
        while not load.done():
            memory.append(resident_mb(pid))
            time.sleep(min(1.0, SECONDS / 20))
        answers, asked = load.result(), health.result()
        (first_after,) = pool.submit(run_alone, port, 1).result()
        after = _alone(pool, port)
    found = _found(answers, asked, memory)
    found |= {
        "saturation_per_second": round(per_second, 1),
        "alone_before_ms": _ms(before),
        "first_after_ms": _ms(first_after),
        "alone_after_ms": _ms(after),
    }
    found["held"]["as fast afterwards (within 20 %)"] = after <= 1.2 * before
    return found


def _alone(pool: ProcessPoolExecutor, port: int) -> float:
    """Seconds of a lone request: the least of three medians, since these machines are noisy."""
    return min(statistics.median(pool.submit(run_alone, port, 50).result()) for _ in range(3))


def _found(answers: list[Answer], asked: list[float], memory: list[float]) -> dict[str, Any]:
    statuses = Counter(each.status for each in answers)
    silent = sum(each.status == 503 and not each.says_when for each in answers)
    accepted = sorted(each.seconds for each in answers if each.status == 200)
    refused = sorted(each.seconds for each in answers if each.status == 503)
    if set(statuses) - {200, 503} or silent:
        raise RuntimeError(f"statuses {dict(statuses)}, of which {silent} do not say when")
    if accepted[-1] > DEADLINE_S:
        raise RuntimeError(f"an answer took {accepted[-1]:.1f} s; the deadline is {DEADLINE_S} s")
    early, late = memory[len(memory) // 5 : 2 * len(memory) // 5], memory[-len(memory) // 5 :]
    growth = statistics.median(late) / statistics.median(early) - 1
    return {
        "seconds": SECONDS,
        "offered_per_second": round(len(answers) / SECONDS, 1),
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "accepted_ms": {"p50": _ms(at(accepted, 0.5)), "p99": _ms(at(accepted, 0.99))}
        | {"max": _ms(accepted[-1])},
        "refused_ms": {"p50": _ms(at(refused, 0.5)), "p99": _ms(at(refused, 0.99))},
        "healthz_ms": {"p50": _ms(at(asked, 0.5)), "p99": _ms(at(asked, 0.99))}
        | {"max": _ms(max(asked))},
        "rss_mb": {
            "early": round(statistics.median(early)),
            "late": round(statistics.median(late)),
        },
        "held": {
            f"/healthz p99 within {HEALTH_MS} ms": at(asked, 0.99) <= HEALTH_MS / 1e3,
            "RSS flat (within 5 %)": abs(growth) <= 0.05,
        },
    }


def _ms(seconds: float) -> float:
    return round(1e3 * seconds, 1)


def run_closed(port: int, n_clients: int, seconds: float) -> list[Answer]:
    """`closed_loop`, for a process of its own."""
    return asyncio.run(closed_loop(port, n_clients, seconds))


def run_open(port: int, per_second: float, seconds: float) -> list[Answer]:
    """`open_loop`, for a process of its own."""
    return asyncio.run(open_loop(port, per_second, seconds))


def run_alone(port: int, times: int) -> list[float]:
    """Seconds of requests one after the other."""

    async def ask() -> list[float]:
        client, request = Client(port), predict_request(CLIP.read_bytes())
        return [(await client.ask(request)).seconds for _ in range(times)]

    return asyncio.run(ask())


def run_health(port: int, seconds: float) -> list[float]:
    """Seconds that ``/healthz`` takes, asked ten times a second over one connection.

    Raises:
        RuntimeError: it does not answer 200.
    """
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    end, taken = time.perf_counter() + seconds, []
    while (started := time.perf_counter()) < end:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        answer.read()
        taken.append(time.perf_counter() - started)
        if answer.status != 200:
            raise RuntimeError(f"/healthz answers {answer.status}")
        time.sleep(0.1)
    return taken
