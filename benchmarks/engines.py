"""What the network costs by how it is run: ``python -m benchmarks.engines``.

The graph as it is and compiled by XLA, with one thread and two, with oneDNN and without, in batches of 1 to
32; each setting in a process of its own, because TensorFlow reads it once. Writes
``benchmarks/results/engines.json``.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.serving import machine

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "models" / "undertone-ravdess"
RESULTS = ROOT / "benchmarks" / "results" / "engines.json"
SIZES = (1, 2, 4, 8, 16, 32)
SETTINGS = {
    f"{how}, {threads} thread{'s' * (threads > 1)}{'' if onednn else ', without oneDNN'}": (
        how,
        threads,
        onednn,
    )
    for how, threads, onednn in (
        ("graph", 1, 1),
        ("graph", 2, 1),
        ("XLA", 1, 1),
        ("XLA", 2, 1),
        ("graph", 1, 0),
    )
}


def main() -> None:
    """Measure, print, write."""
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
        return
    before = machine()
    found = {}
    for name, (how, threads, onednn) in track(SETTINGS.items(), description="settings"):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.engines", how, str(threads)],
            env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": str(onednn)},
            check=True,
            capture_output=True,
            text=True,
        )
        found[name] = json.loads(done.stdout)
    table = Table("ms of processor time for a row in a batch of", *map(str, SIZES), "compiled in s")
    for name, rows in found.items():
        cells = [f"{row['cpu_ms']:.2f}" for row in rows]
        table.add_row(name, *cells, f"{rows[0]['first_s']:.1f}")
    Console().print(table)
    report = {"command": "python -m benchmarks.engines", "machine": before, "settings": found}
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")


def measure(how: str, threads: int) -> list[dict[str, Any]]:
    """A row for each batch size: wall and processor time for each clip, in ms, and of the first call."""
    from undertone.bundle import open_bundle, read_golden
    from undertone.engine import import_tensorflow

    tensorflow = import_tensorflow(threads)
    bundle = open_bundle(MODEL)
    signature = bundle.manifest.signature
    loaded = tensorflow.saved_model.load(str(bundle.saved_model))
    call = loaded.signatures[signature.name]

    def graph(features: Any) -> Any:
        return call(**{signature.input: features})[signature.output]

    clip = read_golden(bundle).features[:1]
    rows = []
    for size in SIZES:
        features = tensorflow.constant(clip.repeat(size, axis=0))
        function = tensorflow.function(graph, jit_compile=how == "XLA")
        started = time.perf_counter()
        function(features)
        first_s = time.perf_counter() - started
        rows.append({"size": size, "first_s": round(first_s, 2), **cost(function, features, size)})
    return rows


def cost(function: Callable[[Any], Any], features: Any, size: int) -> dict[str, float]:
    """The medians of some calls, for each row."""
    walls, cpus = [], []
    for _ in range(max(10, 120 // size)):
        wall, cpu = time.perf_counter(), time.process_time()
        function(features).numpy()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return {
        "wall_ms": round(1e3 * statistics.median(walls) / size, 3),
        "cpu_ms": round(1e3 * statistics.median(cpus) / size, 3),
    }


if __name__ == "__main__":
    main()
