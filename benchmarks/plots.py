"""What was measured, as pictures beside the reports: ``python -m benchmarks.plots`` draws them anew.

``compare.png`` has all services, ``costs.png`` what a recording and a crowd cost ours.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from benchmarks.page import RESULTS, read
from training.figures import ACCENT, WARM, drawing
from undertone.show import INK, PALE

OTHERS: Final = "#94a3b8"
LIMIT: Final = "the limit"
OURS: Final = "undertone"
LENGTHS: Final = {"without segments": (False, OTHERS), "with segments": (True, ACCENT)}


def main() -> None:
    """Draw, write."""
    compared = read("compare")
    compare(compared["median"], RESULTS / "compare.png")
    costs(read("length")["recordings"], compared["by_clients"][OURS], RESULTS / "costs.png")


def compare(medians: dict[str, dict[str, float]], path: Path) -> None:
    """How much each service answers at saturation, and how long it takes when asked at random times."""
    names = list(medians)
    colours = [_colour(name) for name in names]
    with drawing(path, 11, 4.2) as figure:
        much, long = figure.subplots(1, 2, sharey=True)
        rows = range(len(names))
        much.barh(rows, [each["per_second"] for each in medians.values()], 0.62, color=colours)
        much.set_title("Clips a second, at saturation")
        much.set_yticks(rows, [name.replace(", ", ",\n") for name in names])
        much.invert_yaxis()
        much.margins(x=0.12)
        long.set_title("Milliseconds at 60 % of that, at random times")
        long.set_xscale("log")
        for axes in (much, long):
            axes.tick_params(axis="y", length=0)
        for row, each, colour in zip(rows, medians.values(), colours, strict=True):
            much.text(
                each["per_second"], row, f" {each['per_second']:.0f}", va="center", fontsize=9
            )
            p50, p95, p99 = (each[key] for key in ("p50_ms", "p95_ms", "p99_ms"))
            long.plot([p50, p99], [row, row], color=colour, linewidth=2, zorder=1)
            long.plot([p50], [row], "o", color=colour)
            long.plot([p95, p99], [row, row], "|", color=colour, markersize=9, markeredgewidth=2)
            long.plot([each["alone_ms"]], [row], "o", color=colour, markerfacecolor="white")
            long.text(1.08 * p99, row, f"{p99:.0f}", va="center", fontsize=9)
        long.xaxis.set_major_formatter(_PLAIN)
        long.margins(x=0.1)
        long.set_xlabel("○ alone    ● p50    | p95 and p99, with its number")
        long.grid(axis="x", color=PALE, linewidth=0.5)


def costs(
    recordings: Sequence[dict[str, Any]], by_clients: Sequence[dict[str, float]], path: Path
) -> None:
    """What the length of a recording costs, and what becomes of more and more clients."""
    with drawing(path, 11, 6.4) as figure:
        (time, memory), (much, long) = figure.subplots(2, 2)
        for name, (segments, colour) in LENGTHS.items():
            rows = [
                each
                for each in recordings
                if (each["sample_rate"], each["channels"], each["segments"])
                == (16_000, 1, segments)
            ]
            seconds = [each["seconds"] for each in rows]
            for axes, key in ((time, "time_s"), (memory, "rss_above_idle_mb")):
                axes.plot(seconds, [each[key] for each in rows], "o-", color=colour, label=name)
        time.set(xscale="log", yscale="log", title="Seconds until the answer")
        memory.set(title="Most memory above idle, MB")
        for axes in (time, memory):
            axes.set_xlabel("length of a recording, s (16 kHz, mono)")
            axes.legend(frameon=False)
        clients = [each["clients"] for each in by_clients]
        for key, name, colour in (
            ("per_second", "answered", ACCENT),
            ("refused_per_second", "told to come again", WARM),
        ):
            much.plot(clients, [each[key] for each in by_clients], "o-", color=colour, label=name)
        for key, name, colour in (("p50_ms", "p50", ACCENT), ("p99_ms", "p99", INK)):
            long.plot(clients, [each[key] for each in by_clients], "o-", color=colour, label=name)
        much.set(xscale="log", title="A second, of one process")
        long.set(xscale="log", yscale="log", title="Milliseconds until the answer")
        for axes in (much, long):
            axes.set_xticks(clients)
            axes.minorticks_off()
            axes.set_xlabel("clients that ask without pause")
            axes.legend(frameon=False)
        for axes in (time, memory, much, long):
            _make_plain(axes)


_PLAIN: Final = FuncFormatter(lambda value, _: f"{value:g}")


def _make_plain(axes: Axes) -> None:
    """Numbers as one says them, and lines to read them by."""
    axes.xaxis.set_major_formatter(_PLAIN)
    axes.yaxis.set_major_formatter(_PLAIN)
    axes.grid(axis="y", color=PALE, linewidth=0.5)


def _colour(name: str) -> str:
    """Ours in colour, the limit as what nobody is above, the others in grey."""
    if name == LIMIT:
        return PALE
    return ACCENT if name.startswith(OURS) else OTHERS


if __name__ == "__main__":
    main()
