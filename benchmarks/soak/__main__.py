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
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

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
        others = os.getloadavg()[0]
        started = time.monotonic()
        found = importlib.import_module(f"benchmarks.soak.{part}").measure()
        report = {
            "command": f"python -m benchmarks.soak {part}",
            "machine": f"{platform.machine()}, {os.cpu_count()} processors",
            "load_average_before": round(others, 1),
            "minutes": round((time.monotonic() - started) / 60, 1),
            **found,
        }
        text = json.dumps(report, indent=2)
        (RESULTS / f"soak-{part}.json").write_text(text + "\n")
        console.print_json(text)
        (RESULTS / "soak.md").write_text(sheet())


def sheet() -> str:
    """All that was ever written down, one table for each part."""
    lines = ["# Soak", "", "`make soak` writes this, part by part.", ""]
    for part in PARTS:
        report = RESULTS / f"soak-{part}.json"
        if report.exists():
            lines += [f"## {part}", "", "| | |", "|---|---|"]
            lines += [
                f"| {name} | {value} |" for name, value in _flat(json.loads(report.read_text()))
            ]
            lines.append("")
    return "\n".join(lines)


def _flat(report: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in report.items():
        name = f"{before}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}: ")
        elif isinstance(value, list):
            yield name, ", ".join(map(str, value))
        elif isinstance(value, bool):
            yield name, "yes" if value else "no"
        else:
            yield name, value


if __name__ == "__main__":
    main()
