"""What each model costs a service that holds it: ``python -m benchmarks.footprint``.

Memory and time to load, each in a process of its own, beside one that holds none; the time of a
clip, one after the other; and the processor time that the network alone takes for each clip of a full batch.
All models in turn, then all again. Writes ``benchmarks/results/footprint.json``.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from rich.console import Console
from rich.table import Table

from benchmarks import tree
from benchmarks.serving import machine
from benchmarks.traffic import CLIP

ROOT: Final = Path(__file__).resolve().parent.parent
RESULTS: Final = ROOT / "benchmarks" / "results" / "footprint.json"
ROUNDS: Final = 3
BATCH: Final = 32


def main() -> None:
    """Measure, print, write."""
    if len(sys.argv) > 1:
        print(json.dumps(measure(Path(sys.argv[1]))))
        return
    from undertone.bundle import find

    before = machine()
    rounds = [{path.name: alone(path) for path in find(ROOT / "models")} for _ in range(ROUNDS)]
    found = {
        name: {
            key: round(statistics.median(each[name][key] for each in rounds), 2) for key in first
        }
        for name, first in rounds[0].items()
    }
    table = Table("model", "MB", "load s", "clip ms", f"network ms, batch of {BATCH}")
    for name, each in found.items():
        table.add_row(name, *(f"{value:g}" for value in each.values()))
    Console().print(table)
    report = {"command": "python -m benchmarks.footprint", "machine": before, "models": found}
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")


def alone(path: Path) -> dict[str, float]:
    """`measure`, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.footprint", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def measure(path: Path) -> dict[str, float]:
    """Megabytes and seconds that loading takes, without what any model needs; ms for a clip, warm."""
    import numpy as np

    import undertone
    from service.memory import give_back_early
    from undertone.onnx_engine import OnnxEngine  # noqa: F401  # what every model needs

    give_back_early()  # as the service does: left alone, glibc may ask for the same pages with every clip
    before, started = tree.rss_mb(os.getpid()), time.perf_counter()
    model = undertone.load(path, threads=1)
    load_s = time.perf_counter() - started
    mb = tree.rss_mb(os.getpid()) - before
    data = CLIP.read_bytes()
    times = [model.predict(data).timing_ms.total for _ in range(20)]
    shape = (BATCH, *model.manifest.signature.input_shape[1:])
    batch = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return {
        "mb": mb,
        "load_s": load_s,
        "clip_ms": statistics.median(times),
        "network_ms": statistics.median(_ms(lambda: model.engine.infer(batch)) for _ in range(20))
        / BATCH,
    }


def _ms(work: Callable[[], object]) -> float:
    """Of the processor, which neighbours do not lengthen."""
    started = time.process_time()
    work()
    return 1e3 * (time.process_time() - started)


if __name__ == "__main__":
    main()
