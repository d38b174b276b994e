"""What the network costs by how it is run: ``python -m benchmarks.engines``.

ONNX Runtime; TensorFlow with the graph as it is and compiled by XLA, with one thread and two, with oneDNN and
without; in batches of 1 to 32. Each setting in a process of its own, because TensorFlow reads it once, and in
several rounds, because machines are noisy. Writes ``benchmarks/results/engines.json``.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import MODEL, tree
from benchmarks.serving import machine
from undertone.bundle import Bundle

Prepare = Callable[[Any], Callable[[], Any]]

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "engines.json"
SIZES = (1, 2, 4, 8, 16, 32)
ROUNDS = 3
SETTINGS = {
    f"{how}, {threads} thread{'s' * (threads > 1)}{'' if onednn else ', without oneDNN'}": (
        how,
        threads,
        onednn,
    )
    for how, threads, onednn in (
        ("ONNX", 1, 1),
        ("ONNX", 2, 1),
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
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in SETTINGS}
    for name in track(list(SETTINGS) * ROUNDS, description="settings"):
        how, threads, onednn = SETTINGS[name]
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.engines", how, str(threads)],
            env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": str(onednn)},
            check=True,
            capture_output=True,
            text=True,
        )
        rounds[name].append(json.loads(done.stdout))
    found = {name: medians(each) for name, each in rounds.items()}
    table = Table("ms of processor time for a row in a batch of", *map(str, SIZES), "ready s", "MB")
    for name, each in found.items():
        cells = [f"{row['cpu_ms']:.2f}" for row in each["rows"]]
        table.add_row(name, *cells, f"{found[name]['ready_s']:.1f}", f"{found[name]['rss_mb']:.0f}")
    Console().print(table)
    report = {"command": "python -m benchmarks.engines", "machine": before, "settings": found}
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")


def medians(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Of each figure, its median over the rounds."""
    return {
        "rows": [
            {key: round(statistics.median(row[key] for row in rows), 3) for key in rows[0]}
            for rows in zip(*(each["rows"] for each in rounds), strict=True)
        ],
        **{
            key: round(statistics.median(each[key] for each in rounds), 2)
            for key in ("ready_s", "rss_mb")
        },
    }


def measure(how: str, threads: int) -> dict[str, Any]:
    """Milliseconds for each row, by batch size; seconds from the import to the first answer; MB."""
    from undertone.bundle import open_bundle, read_golden

    before = tree.rss_mb(os.getpid())
    started = time.perf_counter()
    bundle = open_bundle(MODEL)
    clip = read_golden(bundle).features[:1]
    prepare = onnx(bundle, threads) if how == "ONNX" else tensorflow(bundle, how, threads)
    prepare(clip)()
    ready_s, rss_mb = time.perf_counter() - started, tree.rss_mb(os.getpid()) - before
    rows = [{"size": size, **cost(prepare(clip.repeat(size, axis=0)), size)} for size in SIZES]
    return {"rows": rows, "ready_s": ready_s, "rss_mb": rss_mb}


def onnx(bundle: Bundle, threads: int) -> Prepare:
    """A call for some features, run by ONNX Runtime."""
    from undertone.onnx_engine import onnxruntime  # which says nothing to its maker

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        bundle.network, options, providers=["CPUExecutionProvider"]
    )
    signature = bundle.manifest.signature
    return lambda features: partial(session.run, [signature.output], {signature.input: features})


def tensorflow(bundle: Bundle, how: str, threads: int) -> Prepare:
    """A call for some features, run by TensorFlow: traced for their number, compiled if ``how`` is XLA."""
    from undertone.saved_model import import_tensorflow

    tensorflow = import_tensorflow(threads)
    signature = bundle.manifest.signature
    loaded = tensorflow.saved_model.load(str(bundle.saved_model))
    call = loaded.signatures[signature.name]

    def prepare(features: Any) -> Callable[[], Any]:
        function = tensorflow.function(
            lambda features: call(**{signature.input: features})[signature.output],
            jit_compile=how == "XLA",
        )
        given = tensorflow.constant(features)
        function(given)
        prepare.loaded = loaded  # the function holds the variables weakly
        return lambda: function(given).numpy()

    return prepare


def cost(call: Callable[[], Any], size: int) -> dict[str, float]:
    """The medians of some calls, for each row."""
    walls, cpus = [], []
    call()
    for _ in range(max(10, 120 // size)):
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return {
        "wall_ms": round(1e3 * statistics.median(walls) / size, 3),
        "cpu_ms": round(1e3 * statistics.median(cpus) / size, 3),
    }


if __name__ == "__main__":
    main()
