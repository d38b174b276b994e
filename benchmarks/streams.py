"""Many voices at once, in real time: ``python -m benchmarks.streams``.

Each stream sends a frame whenever a microphone would have one, whatever the answers do, and begins at
a moment of its own. Latency is from the moment at which the last sample of a window was due to the
moment at which its segment is there, so that a client which falls behind counts against the
service. Writes ``benchmarks/results/streams.json``.
"""

import argparse
import asyncio
import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from websockets.asyncio.client import connect

from benchmarks.serving import machine, served
from undertone import audio

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "streams.json"
END = json.dumps({"type": "end"})


@dataclass
class Heard:
    """What came back over one stream."""

    latencies: list[float] = field(default_factory=list)
    """Seconds, one for each segment of a window that was complete while the stream went on."""
    ends: list[float] = field(default_factory=list)
    lag: float = 0.0
    """How far behind its own clock the client sent at worst, in seconds."""
    summary_ends: list[float] = field(default_factory=list)
    duration_s: float = 0.0


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="Many live streams at once.")
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--sr", type=int, default=48_000)
    parser.add_argument("--frame-ms", type=float, default=40)
    arguments = parser.parse_args()
    before = machine()
    with served(max_streams=2 * arguments.streams) as server:
        idle, cpu = server.rss_mb(), server.cpu_s()
        with server.peak_rss() as peak:
            heard = asyncio.run(
                measure(
                    server.url,
                    arguments.streams,
                    speech(arguments.sr, arguments.seconds),
                    arguments.sr,
                    arguments.frame_ms / 1e3,
                )
            )
        cpu = server.cpu_s() - cpu
    expected = [0.5 * n for n in range(1, int(2 * arguments.seconds) + 1)]
    milliseconds = 1e3 * np.array([latency for each in heard for latency in each.latencies])
    p50, p95, p99 = (round(float(p), 1) for p in np.percentile(milliseconds, (50, 95, 99)))
    report = {
        "command": "python -m benchmarks.streams",
        **vars(arguments),
        "machine": {**before, "load_average_at_the_end": machine()["load_average"]},
        "latency_ms": {
            "p50": p50,
            "p95": p95,
            "p99": p99,
            "max": round(float(milliseconds.max()), 1),
        },
        "segments": sum(len(each.ends) for each in heard),
        "segments_missing": sum(len(set(expected) - set(each.ends)) for each in heard),
        "segments_not_in_summary": sum(
            len(set(each.ends) ^ set(each.summary_ends)) for each in heard
        ),
        "seconds_of_sound_missing": round(
            sum(arguments.seconds - each.duration_s for each in heard), 6
        ),
        "client_lag_ms": round(1e3 * max(each.lag for each in heard), 1),
        "server_cpu_share": round(cpu / arguments.seconds, 3),
        "server_rss_mb": {"idle": round(idle, 1), "peak": round(peak[0], 1)},
    }
    table = Table("", "")
    for name, value in report.items():
        table.add_row(name, str(value))
    Console().print(table)
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")


def speech(sr: int, seconds: float) -> bytes:
    """The shipped sentence and a pause of a second, again and again; 16-bit PCM."""
    sentence = audio.read(ROOT / "examples" / "hello.wav", sr).samples
    noise = np.random.default_rng(0).normal(scale=1e-4, size=sr).astype(np.float32)
    once = np.concatenate([sentence, noise])
    whole = np.resize(once, round(seconds * sr))
    return (whole.clip(-1, 1) * 32767).astype("<i2").tobytes()


async def measure(url: str, streams: int, sound: bytes, sr: int, frame_s: float) -> list[Heard]:
    """All streams, each begun at a moment of its own within the first second."""
    offsets: NDArray[np.float64] = np.random.default_rng(1).uniform(0, 1, streams)
    started = time.perf_counter() + 1
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(converse(url, sound, sr, frame_s, started + float(offset)))
            for offset in offsets
        ]
    return [task.result() for task in tasks]


async def converse(url: str, sound: bytes, sr: int, frame_s: float, started: float) -> Heard:
    """One stream, in real time from ``started``."""
    heard = Heard()
    address = f"ws{url[4:]}/stream?sr={sr}"
    async with connect(address, max_size=None, compression=None, ping_interval=None) as stream:
        assert json.loads(await stream.recv())["type"] == "ready"
        reader = asyncio.create_task(read(stream, heard, started))
        step = 2 * round(frame_s * sr)
        for start in range(0, len(sound), step):
            frame = sound[start : start + step]
            due = started + (start + len(frame)) / 2 / sr
            await asyncio.sleep(due - time.perf_counter())
            heard.lag = max(heard.lag, time.perf_counter() - due)
            await stream.send(frame)
        await stream.send(END)
        await reader
    return heard


async def read(stream, heard: Heard, started: float) -> None:
    """All messages to the last."""
    async for text in stream:
        arrived = time.perf_counter()
        message = json.loads(text)
        if message["type"] == "segment":
            heard.ends.append(message["end"])
            heard.latencies.append(arrived - started - message["end"])
        elif message["type"] == "summary":
            heard.summary_ends = [each["end"] for each in message["segments"]]
            heard.duration_s = message["audio"]["duration_s"]
        else:
            raise RuntimeError(text)


if __name__ == "__main__":
    main()
