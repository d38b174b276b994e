"""``make soak``: run the long trials, all or those that are named, and write down what came of them.

A part is a module of this package with a function ``measure() -> dict``, which raises
where something must not be so. ``python -m benchmarks.soak fuzz`` writes
``benchmarks/results/soak-fuzz.json``.
"""

import importlib
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Final

from rich.console import Console

PARTS: Final = ("uploads", "schema", "reference", "load", "slow", "signals", "fuzz")
"""In this order."""

RESULTS: Final = Path(__file__).resolve().parent.parent / "results"


def main() -> None:
    """Run the parts that the command line names."""
    console = Console()
    chosen = sys.argv[1:] or PARTS
    if unknown := set(chosen) - set(PARTS):
        raise SystemExit(f"no part is called {', '.join(unknown)}; there are {', '.join(PARTS)}")
    for part in chosen:
        console.rule(part)
        started = time.monotonic()
        found = importlib.import_module(f"benchmarks.soak.{part}").measure()
        report = {
            "command": f"python -m benchmarks.soak {part}",
            "machine": f"{platform.machine()}, {os.cpu_count()} processors",
            "minutes": round((time.monotonic() - started) / 60, 1),
            **found,
        }
        text = json.dumps(report, indent=2)
        (RESULTS / f"soak-{part}.json").write_text(text + "\n")
        console.print_json(text)


if __name__ == "__main__":
    main()
