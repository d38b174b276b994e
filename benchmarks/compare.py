"""The service beside other ways to serve the same model: ``python -m benchmarks.compare``.

All are given the same clips by the same client, which is a process of its own: first one request after
the other, then as much as they can take (closed loop), then 60 % of that at random times (open loop,
Poisson). They take turns, several rounds of them, because machines are noisy; the median is told. The last
is no service but the limit: the same arithmetic in plain processes, fed by the same client. Writes
``benchmarks/results/compare.json`` when all of them took part.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import httpx
from rich.console import Console
from rich.table import Table

import undertone
from benchmarks import MODEL, tree
from benchmarks.serving import machine
from benchmarks.traffic import CLIP, Answer, Client, at, closed_loop, form_request, open_loop

ROOT: Final = Path(__file__).resolve().parent.parent
RESULTS: Final = ROOT / "benchmarks" / "results" / "compare.json"
RIVALS: Final = Path(os.environ.get("RIVALS", ROOT / ".rivals")) / "bin"
CLIENTS: Final = 64
LOAD: Final = 0.6
CONCURRENCY: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
STARTS: Final = 9
"""Of each service, for its first request: one in ten or so is disturbed by something else."""
TOLERANCE: Final = 1e-3
"""How far a probability may be from the library's: librosa and we differ in the last digits."""


@dataclass(frozen=True)
class Contender:
    """A way to serve the model."""

    name: str
    command: tuple[str, ...]
    """``{port}`` stands for where it is to listen."""
    variables: dict[str, str] = field(default_factory=dict)
    in_detail: bool = False
    """Whether its start, a lone request and more and more clients are measured, too."""


CORES: Final = str(os.cpu_count())
SERVE: Final = (sys.executable, "-c", "from service.cli import app; app()", "serve")
CONTENDERS: Final = (
    Contender("undertone", SERVE, {"UNDERTONE_PORT": "{port}"}, in_detail=True),
    Contender(
        "undertone, a worker for each processor",
        SERVE,
        {"UNDERTONE_PORT": "{port}", "UNDERTONE_WORKERS": CORES},
        in_detail=True,
    ),
    Contender(
        "undertone, the same with a thread for each network",
        SERVE,
        {"UNDERTONE_PORT": "{port}", "UNDERTONE_WORKERS": CORES, "UNDERTONE_THREADS": "2"},
    ),
    Contender(
        "the usual way", (f"{RIVALS}/uvicorn", "benchmarks.rivals.usual:app", "--port", "{port}")
    ),
    Contender(
        "the usual way, a worker for each processor",
        (
            *(f"{RIVALS}/uvicorn", "benchmarks.rivals.usual:app", "--port", "{port}"),
            *("--workers", CORES),
        ),
    ),
    Contender("LitServe", (f"{RIVALS}/python", "-m", "benchmarks.rivals.lit", "{port}", CORES)),
    Contender(
        "BentoML",
        (f"{RIVALS}/bentoml", "serve", "benchmarks.rivals.bento:Emotion", "--port", "{port}"),
    ),
    Contender("the limit", (sys.executable, "-m", "benchmarks.rivals.limit", "{port}", CORES)),
)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description="The service beside other ways to serve its model."
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10, help="of each load")
    parser.add_argument("--only", nargs="*", default=[], help="names, or beginnings of them")
    arguments = parser.parse_args()
    chosen = [
        each
        for each in CONTENDERS
        if not arguments.only or any(each.name.startswith(name) for name in arguments.only)
    ]
    before, clips = machine(), recordings()
    expected = answers_of_the_library(clips)
    rounds: dict[str, list[dict[str, float]]] = {each.name: [] for each in chosen}
    console = Console()
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        for each in chosen:
            with served(each):
                pass  # what it reads from the disk is in memory from now on, as ours is
        for number in range(arguments.rounds):
            for each in chosen:
                console.print(f"round {number + 1}: {each.name}")
                with served(each) as (port, pid, ready_s):
                    check(each, port, clips, expected)
                    figures = measure(pool, port, pid, clips, arguments.seconds, seed=number)
                rounds[each.name].append({"ready_s": ready_s, **figures})
                console.print(
                    {name: round(value, 2) for name, value in rounds[each.name][-1].items()}
                )
        by_clients, starts, lone = {}, {}, {}
        for each in chosen:
            if not each.in_detail:
                continue
            starts[each.name] = [start(each, clips) for _ in range(STARTS)]
            with served(each) as (port, _, _):
                lone[each.name] = pool.submit(run_lone, port, clips).result()
                by_clients[each.name] = against_clients(pool, port, clips)
    report = {
        "command": (
            f"python -m benchmarks.compare --rounds {arguments.rounds} --seconds {arguments.seconds:g}"
        ),
        "machine": {**before, "load_average_at_the_end": machine()["load_average"]},
        "clips": len(clips),
        "clients": CLIENTS,
        "seconds": arguments.seconds,
        "arithmetic_ms": arithmetic(clips),
        "median": {name: medians(each) for name, each in rounds.items()},
        "lone": lone,
        "starts": {name: medians(each) for name, each in starts.items()},
        "by_clients": by_clients,
        "rounds": rounds,
    }
    console.print(sheet(report))
    if len(chosen) < len(CONTENDERS):
        return
    RESULTS.write_text(json.dumps(rounded(report), indent=2) + "\n")


def recordings() -> list[bytes]:
    """The RAVDESS clips as they were published, where ``UNDERTONE_DATA`` has them; else the shipped one."""
    folder = Path(os.environ.get("UNDERTONE_DATA", "-")) / "originals" / "ravdess"
    return [path.read_bytes() for path in sorted(folder.glob("*.wav"))] or [CLIP.read_bytes()]


def answers_of_the_library(clips: Sequence[bytes]) -> list[dict[str, float]]:
    """What each is to answer."""
    model = undertone.load(MODEL)
    return [
        {score.label: score.score for score in model.predict(clip).probabilities} for clip in clips
    ]


def arithmetic(clips: Sequence[bytes]) -> dict[str, float]:
    """What a lone clip costs in the library, in ms: the median of each step over all clips."""
    model = undertone.load(MODEL)
    timings = [model.predict(clip).timing_ms for _ in range(5) for clip in clips][len(clips) :]
    return {
        name: statistics.median(getattr(timing, name) for timing in timings)
        for name in ("decode", "features", "inference", "total")
    }


def run_lone(port: int, clips: Sequence[bytes]) -> dict[str, float]:
    """One request after the other: milliseconds by the client's clock, and of each step as replied."""
    requests = [form_request(clip) for clip in clips]

    async def ask() -> list[dict[str, float]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        found = []
        for request in requests * 8:
            started = time.perf_counter()
            writer.write(request)
            body = await body_of_answer(reader)
            wall = 1e3 * (time.perf_counter() - started)
            found.append({"wall": wall, **json.loads(body)["timing_ms"]})
        writer.close()
        return found[len(requests) :]

    return medians(asyncio.run(ask()))


def start(contender: Contender, clips: Sequence[bytes]) -> dict[str, float]:
    """Seconds until it is ready, then milliseconds of the first request and, as a median, of the next."""
    with launched(contender) as (port, process):
        began = time.perf_counter()
        while True:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.02)
            if process.poll() is not None:
                sys.exit(f"{contender.name} did not start")
        ready_s = time.perf_counter() - began

        async def ask() -> list[float]:
            client = Client(port)
            return [(await client.ask(form_request(clip))).seconds for clip in [clips[0], *clips]]

        first, *others = asyncio.run(ask())
    return {
        "ready_s": ready_s,
        "first_ms": 1e3 * first,
        "median_ms": 1e3 * statistics.median(others),
    }


@contextmanager
def launched(contender: Contender) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """The port at which it will answer, and its process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ours = {name for name in os.environ if name.startswith("UNDERTONE_")}
    environment = {
        **{name: value for name, value in os.environ.items() if name not in ours},
        "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "2",
        **{name: value.format(port=port) for name, value in contender.variables.items()},
    }
    process = subprocess.Popen(
        [part.format(port=port) for part in contender.command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield port, process
    finally:
        tree.end(process.pid)


@contextmanager
def served(contender: Contender) -> Iterator[tuple[int, int, float]]:
    """The port at which it answers, its process, and how many seconds it took until it did."""
    with launched(contender) as (port, process):
        began = time.perf_counter()
        request = form_request(CLIP.read_bytes())
        while asyncio.run(first_answer(port, request)) != 200:
            if process.poll() is not None:
                sys.exit(f"{contender.name} did not start: {' '.join(contender.command)}")
            if time.perf_counter() - began > 120:
                sys.exit(f"{contender.name} does not answer")
            time.sleep(0.05)
        yield port, process.pid, time.perf_counter() - began


async def first_answer(port: int, request: bytes) -> int:
    """The status of an answer, if it comes within ten seconds."""
    try:
        return (await asyncio.wait_for(Client(port).ask(request), 10)).status
    except TimeoutError:
        return 0


def check(
    contender: Contender, port: int, clips: Sequence[bytes], expected: list[dict[str, float]]
) -> None:
    """Leave it if it does not answer what the library does."""
    for clip, scores in zip(clips, expected, strict=True):
        found = asyncio.run(reply(port, form_request(clip)))
        worst = max(abs(each["score"] - scores[each["label"]]) for each in found["probabilities"])
        if worst > TOLERANCE:
            sys.exit(f"{contender.name} is off by {worst:.3f}")


async def reply(port: int, request: bytes) -> Any:
    """The JSON that answers a request which is written as it is."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    found = json.loads(await body_of_answer(reader))
    writer.close()
    return found


async def body_of_answer(reader: asyncio.StreamReader) -> bytes:
    """What follows the head of an answer that says how long it is."""
    head = await reader.readuntil(b"\r\n\r\n")
    return await reader.readexactly(
        int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    )


def measure(
    pool: ProcessPoolExecutor,
    port: int,
    pid: int,
    clips: Sequence[bytes],
    seconds: float,
    *,
    seed: int,
) -> dict[str, float]:
    """One contender, one round; ``seed`` is that of the random times, the same for all contenders."""
    pool.submit(run_closed, port, CLIENTS, 3.0, clips).result()  # the first requests are slower
    alone, _ = pool.submit(run_closed, port, 1, 3.0, clips).result()
    cpu = tree.cpu_s(pid)
    loaded, client_cpu = pool.submit(run_closed, port, CLIENTS, seconds, clips).result()
    cpu = tree.cpu_s(pid) - cpu
    answered = [each for each in loaded if each.status == 200]
    rss = tree.rss_mb(pid)
    per_second = in_time(loaded, seconds) / seconds
    cpu_then = tree.cpu_s(pid)
    at_times = pool.submit(run_open, port, LOAD * per_second, seconds, clips, seed).result()
    cpu_then = tree.cpu_s(pid) - cpu_then
    times = [each.seconds for each in at_times if each.status == 200]
    return {
        "per_second": per_second,
        "refused_at_saturation": len(loaded) - len(answered),
        "refused_at_60_percent": len(at_times) - len(times),
        "cpu_s_per_1000": 1e3 * cpu / len(answered),
        "cpu_s_per_1000_at_60_percent": 1e3 * cpu_then / len(at_times),
        "client_cpu_s_per_1000": 1e3 * client_cpu / len(answered),
        "alone_ms": 1e3 * statistics.median(each.seconds for each in alone),
        "p50_ms": 1e3 * at(times, 0.5),
        "p95_ms": 1e3 * at(times, 0.95),
        "p99_ms": 1e3 * at(times, 0.99),
        "rss_mb": rss,
    }


def against_clients(
    pool: ProcessPoolExecutor, port: int, clips: Sequence[bytes], seconds: float = 3.0
) -> list[dict[str, float]]:
    """How it fares with more and more clients, each of whom asks again as soon as there is an answer."""
    pool.submit(run_closed, port, CLIENTS, seconds, clips).result()
    rows = []
    for n_clients in CONCURRENCY:
        answers, _ = pool.submit(run_closed, port, n_clients, seconds, clips).result()
        times = [each.seconds for each in answers if each.status == 200]
        rows.append(
            {
                "clients": n_clients,
                "per_second": in_time(answers, seconds) / seconds,
                "refused_per_second": (len(answers) - len(times)) / seconds,
                "p50_ms": 1e3 * at(times, 0.5),
                "p99_ms": 1e3 * at(times, 0.99),
            }
        )
    return rows


def run_closed(
    port: int, n_clients: int, seconds: float, clips: Sequence[bytes]
) -> tuple[list[Answer], float]:
    """`closed_loop`, and the processor time of the client; for a process of its own."""
    requests, before = [form_request(clip) for clip in clips], time.process_time()
    answers = asyncio.run(closed_loop(port, n_clients, seconds, requests))
    return answers, time.process_time() - before


def run_open(
    port: int, per_second: float, seconds: float, clips: Sequence[bytes], seed: int
) -> list[Answer]:
    """`open_loop` at random times, for a process of its own."""
    requests = [form_request(clip) for clip in clips]
    return asyncio.run(open_loop(port, per_second, seconds, requests, seed=seed))


def in_time(answers: Sequence[Answer], seconds: float) -> int:
    """How many were answered before the load ended: those that were under way then do not count."""
    end = min(each.at for each in answers) + seconds
    return sum(each.status == 200 and each.at + each.seconds <= end for each in answers)


def medians(rounds: Sequence[dict[str, float]]) -> dict[str, float]:
    """Of each figure, its median over the rounds."""
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


def rounded(value: Any) -> Any:
    """With three digits after the point."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return round(value, 3) if isinstance(value, float) else value


def sheet(report: dict[str, Any]) -> Table:
    """The medians."""
    table = Table(
        "", "a second", "CPU-s / 1000", "alone ms", "p50", "p95", "p99", "RSS MB", "ready s"
    )
    for name, figures in report["median"].items():
        table.add_row(
            name,
            f"{figures['per_second']:.0f}",
            f"{figures['cpu_s_per_1000']:.1f}",
            *(f"{figures[key]:.1f}" for key in ("alone_ms", "p50_ms", "p95_ms", "p99_ms")),
            f"{figures['rss_mb']:.0f}",
            f"{figures['ready_s']:.1f}",
        )
    return table


if __name__ == "__main__":
    main()
