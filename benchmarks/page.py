"""The tables of docs/performance.md, from the reports: ``python -m benchmarks.page`` writes them anew."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
RESULTS: Final = ROOT / "benchmarks" / "results"
PAGE: Final = ROOT / "docs" / "performance.md"


def main() -> None:
    """Put each table where its marks are."""
    PAGE.write_text(written(PAGE.read_text()))


def written(text: str) -> str:
    """``text`` with what stands between the marks replaced."""
    for name, lines in (
        ("compare", compare(_read("compare"))),
        ("ratios", ratios(_read("compare"))),
        ("clients", clients(_read("compare"))),
        ("engines", engines(_read("engines"))),
    ):
        before, mark, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        assert mark, f"<!-- {name} --> is missing"
        assert end, f"<!-- /{name} --> is missing"
        text = before + mark + "\n" + "\n".join(lines) + "\n\n" + end + after
    return text


def compare(report: dict[str, Any]) -> Iterator[str]:
    """Undertone beside others, the medians over the rounds."""
    yield "| | a second | CPU-s / 1000 | alone | p50 | p95 | p99 | RSS, MB | ready, s |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    for name, each in report["median"].items():
        times = " | ".join(f"{each[key]:.1f}" for key in ("alone_ms", "p50_ms", "p95_ms", "p99_ms"))
        yield (
            f"| {name} | {each['per_second']:.0f} | {each['cpu_s_per_1000']:.1f} | {times} | "
            f"{each['rss_mb']:.0f} | {each['ready_s']:.1f} |"
        )


def ratios(report: dict[str, Any]) -> Iterator[str]:
    """The same as factors; with a worker for each processor, unless it says otherwise."""
    medians = report["median"]
    one, many = medians["undertone"], medians["undertone, a worker for each processor"]
    best = many["per_second"]
    usual = medians["the usual way, a worker for each processor"]
    rivals = max(medians[name]["per_second"] for name in ("LitServe", "BentoML"))
    steps = report["arithmetic_ms"]
    sum_ms = steps["decode"] + steps["features"] + steps["inference"]
    yield (
        f"- {best / usual['per_second']:.1f} times the usual way at saturation; one process against one: "
        f"{one['per_second'] / medians['the usual way']['per_second']:.1f} times."
    )
    yield f"- {best / rivals:.2f} times the better of LitServe and BentoML."
    yield f"- {best / medians['the limit']['per_second']:.2f} of the limit."
    yield (
        f"- {many['cpu_s_per_1000'] - medians['the limit']['cpu_s_per_1000']:.1f} ms of processor time "
        "for a clip above the limit."
    )
    yield (
        f"- p99 at 60 % load: {one['p99_ms'] / one['p50_ms']:.1f} times p50 in one process, "
        f"{many['p99_ms'] / many['p50_ms']:.1f} times with a worker for each processor."
    )
    yield (
        f"- A lone request takes {one['alone_ms']:.1f} ms by the client's clock; in the library, its "
        f"decoding ({steps['decode']:.1f}), features ({steps['features']:.1f}) and inference "
        f"({steps['inference']:.1f}) take {sum_ms:.1f} ms: {one['alone_ms'] / sum_ms:.2f} times."
    )


def clients(report: dict[str, Any]) -> Iterator[str]:
    """More and more clients."""
    yield "| clients | answered a second | refused a second | p50, ms | p99, ms |"
    yield "|---:|---:|---:|---:|---:|"
    for each in report["by_clients"]["undertone"]:
        yield (
            f"| {each['clients']} | {each['per_second']:.0f} | {each['refused_per_second']:.0f} | "
            f"{each['p50_ms']:.0f} | {each['p99_ms']:.0f} |"
        )


def engines(report: dict[str, Any]) -> Iterator[str]:
    """How the network is run."""
    sizes = [row["size"] for row in next(iter(report["settings"].values()))]
    yield f"| | {' | '.join(map(str, sizes))} | first call, s |"
    yield "|---|" + "---:|" * (len(sizes) + 1)
    for name, rows in report["settings"].items():
        cells = " | ".join(f"{row['cpu_ms']:.2f}" for row in rows)
        yield f"| {name} | {cells} | {rows[0]['first_s']:.1f} |"


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return found


if __name__ == "__main__":
    main()
