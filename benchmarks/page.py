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
        ("compare", compare(read("compare"))),
        ("ratios", ratios(read("compare"))),
        ("queues", queues(read("queues"))),
        ("network", network(read("queues"))),
        ("clients", clients(read("compare"))),
        ("engines", engines(read("engines"))),
        ("turns", turns(read("turns"))),
        ("growth", growth(read("growth"))),
        ("networks", networks(read("networks"))),
        ("fairness", fairness(read("fairness"))),
        ("length", length(read("length"))),
        ("footprint", footprint(read("footprint"))),
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
    """The same as factors: of one process, and with a worker for each processor."""
    medians = report["median"]
    one, many = medians["undertone"], medians["undertone, a worker for each processor"]
    usual = medians["the usual way"], medians["the usual way, a worker for each processor"]
    rivals = max(medians[name]["per_second"] for name in ("LitServe", "BentoML"))
    limit = medians["the limit"]
    steps = report["arithmetic_ms"]
    sum_ms = steps["decode"] + steps["features"] + steps["inference"]
    yield (
        f"- {one['per_second'] / usual[0]['per_second']:.1f} times the usual way at saturation, process "
        f"against process; {many['per_second'] / usual[1]['per_second']:.1f} times, workers against workers."
    )
    yield (
        f"- {one['per_second'] / rivals:.2f} times the better of LitServe and BentoML; with workers "
        f"{many['per_second'] / rivals:.2f} times."
    )
    yield (
        f"- {one['per_second'] / limit['per_second']:.2f} of the limit; with workers "
        f"{many['per_second'] / limit['per_second']:.2f} of it."
    )
    yield (
        f"- {one['cpu_s_per_1000'] - limit['cpu_s_per_1000']:.1f} ms of processor time for a clip above the "
        f"limit; with workers {many['cpu_s_per_1000'] - limit['cpu_s_per_1000']:.1f} ms."
    )
    yield (
        f"- p99 at 60 % load: {_tail(one):.1f} times p50, with workers {_tail(many):.1f} times; the limit "
        f"{_tail(limit):.1f} times. Round by round: {_rounds(report, 'undertone')}, with workers "
        f"{_rounds(report, 'undertone, a worker for each processor')}; the limit "
        f"{_rounds(report, 'the limit')}."
    )
    cost, cost_then = one["cpu_s_per_1000"], one["cpu_s_per_1000_at_60_percent"]
    yield (
        f"- At 60 % load a clip takes {cost_then:.1f} ms of processor time, at saturation "
        f"{cost:.1f} ms: processors that do something else in between, or nothing, have what it needs in no "
        f"cache. So 60 % of the clips are {0.6 * cost_then / cost:.0%} of the work."
    )
    lone = report["lone"]["undertone"]
    parts = lone["decode"] + lone["features"] + lone["inference"]
    yield (
        f"- A lone request takes {lone['wall']:.1f} ms by the client's clock: {lone['wall'] / parts:.2f} "
        f"times its decoding ({lone['decode']:.1f}), features ({lone['features']:.1f}) and inference "
        f"({lone['inference']:.1f}, with the way to its thread and back); by the service's own clock, once "
        f"the upload is there, {lone['total'] / parts:.2f} times. It is {lone['wall'] / sum_ms:.2f} times "
        f"the {sum_ms:.1f} ms that these take in the library, one clip after the other without pauses."
    )
    start = report["starts"]["undertone"]
    yield (
        f"- Ready {start['ready_s']:.1f} s after the process was started; the first request then takes "
        f"{start['first_ms']:.1f} ms, the median of the next {start['median_ms']:.1f} ms."
    )


def _tail(figures: dict[str, float]) -> float:
    return figures["p99_ms"] / figures["p50_ms"]


def _rounds(report: dict[str, Any], name: str) -> str:
    *others, last = (f"{_tail(each):.1f}" for each in report["rounds"][name])
    return f"{', '.join(others)} and {last}" if others else last


def queues(report: dict[str, Any]) -> Iterator[str]:
    """What no service can be better than."""
    found = report["p99_by_p50"]
    loads = list(next(iter(found.values())))
    yield f"| | {' | '.join(f'{float(load):.0%} load' for load in loads)} |"
    yield "|---|" + "---:|" * len(loads)
    for name, ratios_ in found.items():
        yield f"| {name} | {' | '.join(f'{ratios_[load]:.1f}' for load in loads)} |"


def network(report: dict[str, Any]) -> Iterator[str]:
    """What comes first on a processor that has everything to do."""
    found = report["network_ms"]
    loads = next(iter(found.values()))
    heads = [f"{float(load):.0%} load: {name}" for load, each in loads.items() for name in each]
    yield f"| the network is run | {' | '.join(heads)} |"
    yield "|---|" + "---:|" * len(heads)
    for name, by_load in found.items():
        cells = " | ".join(f"{value:.0f}" for each in by_load.values() for value in each.values())
        yield f"| {name} | {cells} |"


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
    settings = report["settings"]
    sizes = [row["size"] for row in next(iter(settings.values()))["rows"]]
    yield f"| | {' | '.join(map(str, sizes))} | ready, s | MB |"
    yield "|---|" + "---:|" * (len(sizes) + 2)
    for name, each in settings.items():
        cells = " | ".join(f"{row['cpu_ms']:.2f}" for row in each["rows"])
        yield f"| {name} | {cells} | {each['ready_s']:.1f} | {each['rss_mb']:.0f} |"


def turns(report: dict[str, Any]) -> Iterator[str]:
    """Where sound is prepared."""
    yield "| sound is prepared | clips a second | CPU, ms a clip | the loop is late, p50 | p99, ms |"
    yield "|---|---:|---:|---:|---:|"
    for name, each in report["median"].items():
        yield (
            f"| {name} | {each['clips_a_second']:.0f} | {each['cpu_ms_a_clip']:.1f} | "
            f"{each['loop_late_ms_p50']:.1f} | {each['loop_late_ms_p99']:.1f} |"
        )


def growth(report: dict[str, Any]) -> Iterator[str]:
    """Twenty thousand requests."""
    first, last = report["steps"][0], report["steps"][-1]
    health = report["healthz_ms"]
    yield (
        f"- {report['idle_rss_mb']:.0f} MB before the first request, {first['rss_mb']:.0f} MB after "
        f"{first['requests']}, {last['rss_mb']:.0f} MB after {last['requests']}: "
        f"{report['growth_from_2000_to_20000']:+.1%} from the second to the third. "
        f"Once nobody asks any more, and what is free has gone back: {report['rss_mb_later']:.0f} MB."
    )
    yield (
        f"- `/healthz` meanwhile: {health['p50']:.0f} ms at the median, {health['p99']:.0f} ms at the 99th "
        f"percentile, {health['max']:.0f} ms at worst."
    )


def length(report: dict[str, Any]) -> Iterator[str]:
    """Ten minutes."""
    rows = {
        (row["sample_rate"], row["channels"], row["segments"]): row
        for row in report["recordings"]
        if row["seconds"] == 600
    }
    mono, stereo, studio = rows[16_000, 1, True], rows[48_000, 2, True], rows[192_000, 1, True]
    off = max(each["largest_deviation"] for each in report["linear_from_minute_2"].values())
    yield (
        f"- Ten minutes with `segments=true`: {mono['time_s']:.1f} s and {mono['rss_above_idle_mb']:.0f} MB "
        f"above idle at 16 kHz, {stereo['rss_above_idle_mb']:.0f} MB as 48 kHz stereo "
        f"({report['idle_rss_mb']:.0f} MB idle), {studio['rss_above_idle_mb']:.0f} MB as 192 kHz mono."
    )
    yield (
        f"- Processor time for a minute, from the second minute on, is within {off:.0%} of its mean."
    )
    yield (
        "- A probability differs by "
        f"{report['largest_difference_between_batch_sizes']:.2g} at most between batch sizes."
    )


def networks(report: dict[str, Any]) -> Iterator[str]:
    """The default model's against the first one's."""
    for name, each in report["engines"].items():
        yield (
            f"- {name}: {each['first_ms']:.2f} ms of CPU for a row of `{report['first']}`, "
            f"{each['default_ms']:.2f} of `{report['default']}`: {each['ratio']:.2f} times as much."
        )


def fairness(report: dict[str, Any]) -> Iterator[str]:
    """Short clips in the company of long ones."""
    yield "| the network has | clients with 30 s | 3 s: p50, ms | at most, ms | 30 s: a second |"
    yield "|---|---:|---:|---:|---:|"
    for each in report["rows"]:
        yield (
            f"| {each['network']} | {each['long_clients']} | {each['short_p50_ms']:.0f} | "
            f"{each['short_max_ms']:.0f} | {each['long_a_second']:.1f} |"
        )


def footprint(report: dict[str, Any]) -> Iterator[str]:
    """Each model."""
    yield "| model | MB | loaded in, s | a clip, ms | its network, 32 clips at once, ms of CPU for each |"
    yield "|---|---:|---:|---:|---:|"
    for name, each in report["models"].items():
        yield (
            f"| `{name}` | {each['mb']:.0f} | {each['load_s']:.1f} | {each['clip_ms']:.1f} | "
            f"{each['network_ms']:.2f} |"
        )


def read(name: str) -> dict[str, Any]:
    """The report of that name."""
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return found


if __name__ == "__main__":
    main()
