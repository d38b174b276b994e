"""What a recording costs by how long it is: ``python -m benchmarks.length``.

Each is posted alone to a running service, with ``segments=true``, the dearest way to ask, and without;
the table gives the median time, the processor time of the service, and how much more memory the service
held at worst than when it was idle. The ten minutes come at other rates and as stereo, too. Last, how far
probabilities depend on the company in a batch. Writes ``benchmarks/results/length.json``.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

import undertone
from benchmarks import MODEL
from benchmarks.serving import Server, machine, served
from undertone import audio, wav
from undertone.classifier import windows
from undertone.engine import MAX_ROWS

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "length.json"
LENGTHS = (1, 3, 6, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600)
VARIANTS = ((8_000, 1), (44_100, 1), (48_000, 1), (48_000, 2), (192_000, 1))


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="Cost against length.")
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    before = machine()
    with (
        served(max_upload_bytes=400_000_000, deadline_s=600) as server,
        httpx.Client(base_url=server.url, timeout=600) as client,
    ):
        for _ in range(5):
            post(client, recording(30, 16_000, 1), segments=True)
        idle = server.rss_mb()
        rows = [
            measure(server, client, idle, seconds, 16_000, 1, rounds=rounds, segments=segments)
            for segments in (False, True)
            for seconds in LENGTHS
        ]
        rows += [
            measure(server, client, idle, 600, sr, channels, rounds=1, segments=True)
            for sr, channels in VARIANTS
        ]
    report = {
        "command": "python -m benchmarks.length",
        "machine": {**before, "load_average_at_the_end": machine()["load_average"]},
        "rounds": rounds,
        "idle_rss_mb": round(idle, 1),
        "recordings": rows,
        "linear_from_minute_2": {
            f"segments={segments}": linearity([row for row in rows if row["segments"] is segments])
            for segments in (False, True)
        },
        "largest_difference_between_batch_sizes": company(),
    }
    show(report)
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")


def recording(seconds: float, sr: int, channels: int) -> bytes:
    """The shipped sentence again and again, as a 16-bit WAV file."""
    sentence = audio.read(ROOT / "examples" / "hello.wav", sr).samples
    whole = np.resize(sentence, round(seconds * sr))
    return wav.encode(np.stack([whole] * channels, axis=1) if channels > 1 else whole, sr)


def post(client: httpx.Client, data: bytes, *, segments: bool) -> dict[str, Any]:
    """The reply."""
    reply = client.post(
        "/predict",
        content=data,
        headers={"Content-Type": "audio/wav"},
        params={"segments": segments},
    )
    reply.raise_for_status()
    answer: dict[str, Any] = reply.json()
    return answer


def measure(
    server: Server,
    client: httpx.Client,
    idle: float,
    seconds: float,
    sr: int,
    channels: int,
    *,
    rounds: int,
    segments: bool,
) -> dict[str, Any]:
    """One row: the same recording, ``rounds`` times."""
    data = recording(seconds, sr, channels)
    times, cpu = [], server.cpu_s()
    with server.peak_rss() as peak:
        for _ in range(rounds):
            started = time.perf_counter()
            post(client, data, segments=segments)
            times.append(time.perf_counter() - started)
    return {
        "seconds": seconds,
        "sample_rate": sr,
        "channels": channels,
        "segments": segments,
        "time_s": round(statistics.median(times), 3),
        "cpu_s": round((server.cpu_s() - cpu) / rounds, 3),
        "rss_above_idle_mb": round(peak[0] - idle, 1),
    }


def linearity(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Processor time for a minute, from minute 2 on, and how far the minutes differ from their mean."""
    per_minute = [
        60 * row["cpu_s"] / row["seconds"]
        for row in rows
        if row["seconds"] >= 120 and row["sample_rate"] == 16_000
    ]
    mean = statistics.mean(per_minute)
    furthest = max(abs(each / mean - 1) for each in per_minute)
    return {"cpu_s_per_minute": round(mean, 3), "largest_deviation": round(furthest, 3)}


def company() -> float:
    """The largest difference of a probability between a window alone and in batches of any size."""
    model = undertone.load(MODEL)
    sound = audio.decode(recording(60, 16_000, 1), model.spec.sr)
    features = windows(sound.samples, model.spec)[:32]
    alone = np.concatenate([model.engine.infer(row[np.newaxis]) for row in features])
    differences = [
        np.abs(
            np.concatenate(
                [
                    model.engine.infer(features[at : at + size])
                    for at in range(0, len(features), size)
                ]
            )
            - alone
        ).max()
        for size in range(2, MAX_ROWS + 1)  # what is more is taken in such batches
    ]
    return float(max(differences))


def show(report: dict[str, Any]) -> None:
    """Print it."""
    table = Table("seconds", "Hz", "channels", "segments", "time s", "cpu s", "MB above idle")
    for row in report["recordings"]:
        table.add_row(*map(str, row.values()))
    console = Console()
    console.print(table)
    console.print({key: value for key, value in report.items() if key != "recordings"})


if __name__ == "__main__":
    main()
