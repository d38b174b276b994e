"""SIGTERM under load, again and again; then SIGKILL of one worker of two, and of both."""

import asyncio
import multiprocessing
import os
import signal
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Final

from benchmarks.soak.process import Process, serving, wait_for
from benchmarks.traffic import LOST, Answer, until_gone

TRIALS: Final = int(os.environ.get("TRIALS", "20"))
CLIENTS: Final = 16
BACK_S: Final = 15


def measure() -> dict[str, Any]:
    """What became of the requests, and how long the service was away.

    Raises:
        RuntimeError: a request that was accepted was lost, or a status was none of those that may be.
    """
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn) as pool:
        pool.submit(os.getpid).result()
        trials = [_sigterm(pool) for _ in range(TRIALS)]
    total: Counter[str] = sum(trials, Counter())
    if total["lost"]:
        raise RuntimeError(f"{total['lost']} accepted requests were lost")
    killed = _sigkill()
    return {"sigterm": {"trials": TRIALS, **dict(total)}, "sigkill": killed}


def run_until_gone(port: int) -> list[Answer]:
    """`until_gone`, for a process of its own."""
    return asyncio.run(until_gone(port, CLIENTS))


def _sigterm(pool: ProcessPoolExecutor) -> Counter[str]:
    """Let clients ask for two seconds, say that it is over, and count what they got.

    A request is lost if the client had no answer to it. One that the client could not even begin on a
    connection (`REFUSED`) is not: nobody had accepted it.
    """
    with serving(max_requests=8, max_waiting=4) as process:
        load = pool.submit(run_until_gone, process.port)
        time.sleep(2)
        code = process.end()
        answers, said = load.result(), process.predictions()
    if code:
        raise RuntimeError(f"exit code {code}")
    statuses = Counter(each.status for each in answers)
    if unknown := set(statuses) - {200, 503, LOST, -1}:
        raise RuntimeError(f"statuses {unknown}")
    if any(each.status == 503 and not each.says_when for each in answers):
        raise RuntimeError("a 503 does not say when to come again")
    return Counter(
        answered=statuses[200],
        refused=statuses[503],
        lost=said[200] - statuses[200],
        closed_before_they_were_read=statuses[LOST],
    )


def _sigkill() -> dict[str, Any]:
    with serving(workers=2) as process:
        wait_for(lambda: process.ready_workers() == 2)
        one, other = process.workers()
        os.kill(one, signal.SIGKILL)
        still = wait_for(lambda: process.status() == 200)
        replaced = wait_for(lambda: process.ready_workers() == 3)
        _kill_all(process, other)
        back = wait_for(lambda: process.status() == 200)
    return {
        "one of two: answers after_s": round(still, 1),
        "one of two: replaced after_s": round(replaced, 1),
        "both: answers after_s": round(back, 1),
        "held": {f"back within {BACK_S} s": max(still, back) <= BACK_S},
    }


def _kill_all(process: Process, other: int) -> None:
    for worker in (other, process.workers()[-1]):
        os.kill(worker, signal.SIGKILL)
