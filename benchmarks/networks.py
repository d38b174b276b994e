"""What the network of the default model costs beside that of the first: ``python -m benchmarks.networks``.

Both in one process with one thread, in turn, in batches of 32 as they are, where the engine would take
eights: by ONNX Runtime, as the service runs them, and as the graph of their SavedModel. Processor time, which
neighbours do not lengthen. Writes ``benchmarks/results/networks.json``.
"""

import json
import statistics
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.progress import track

from benchmarks import MODEL
from benchmarks.engines import onnx, tensorflow
from benchmarks.serving import machine
from undertone.bundle import Bundle, open_bundle

RESULTS: Final = Path(__file__).resolve().parent / "results" / "networks.json"
FIRST: Final = MODEL.parent / "undertone-ravdess"
BATCH: Final = 32
ROUNDS: Final = 60
WARM: Final = 5


def main() -> None:
    """Measure, print, write."""
    before, bundles = machine(), [open_bundle(FIRST), open_bundle(MODEL)]
    ways = {
        "ONNX Runtime": [onnx(bundle, 1) for bundle in bundles],
        "graph": [tensorflow(bundle, "graph", 1) for bundle in bundles],
    }
    batches = [batch_for(bundle) for bundle in bundles]
    calls = {
        name: [prepare(batch) for prepare, batch in zip(pair, batches, strict=True)]
        for name, pair in ways.items()
    }
    times: dict[str, list[list[float]]] = {name: [[], []] for name in calls}
    for _ in track(range(WARM + ROUNDS), description="rounds"):
        for name, pair in calls.items():
            for found, call in zip(times[name], pair, strict=True):
                started = time.process_time()
                call()
                found.append(1e3 * (time.process_time() - started) / BATCH)
    engines = {}
    for name, pair_of_times in times.items():
        first, second = (statistics.median(found[WARM:]) for found in pair_of_times)
        engines[name] = {
            "first_ms": round(first, 2),
            "default_ms": round(second, 2),
            "ratio": round(second / first, 2),
        }
    report = {
        "command": "python -m benchmarks.networks",
        "machine": before,
        "first": FIRST.name,
        "default": MODEL.name,
        "batch": BATCH,
        "engines": engines,
    }
    Console().print(report)
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")


def batch_for(bundle: Bundle) -> Any:
    """Noise, ``float32[32, frames, width]``."""
    shape = (BATCH, *bundle.manifest.signature.input_shape[1:])
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


if __name__ == "__main__":
    main()
