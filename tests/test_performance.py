"""docs/performance.md says, and shows, what was measured, of the model that answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread
from matplotlib.testing.compare import calculate_rms

from benchmarks import MODEL, plots
from benchmarks.page import PAGE, RESULTS, read, written
from service.models import PREFERRED


def test_the_tables_are_those_of_the_reports():
    text = PAGE.read_text()
    assert written(text) == text


def test_what_is_measured_is_the_default():
    assert MODEL.name == PREFERRED
    assert MODEL.is_dir()


Reports = tuple[dict[str, Any], dict[str, Any]]


@pytest.fixture
def reports() -> Reports:
    """Of all services, and of lengths."""
    return read("compare"), read("length")


def compare(reports: Reports, path: Path) -> None:
    plots.compare(reports[0]["median"], path)


def costs(reports: Reports, path: Path) -> None:
    plots.costs(reports[1]["recordings"], reports[0]["by_clients"][plots.OURS], path)


def slower(reports: Reports) -> None:
    """A little."""
    reports[0]["median"]["LitServe"]["p50_ms"] *= 1.2
    reports[0]["by_clients"][plots.OURS][3]["p50_ms"] *= 1.2


@pytest.mark.parametrize("draw", [compare, costs])
def test_the_pictures_are_those_of_the_reports(
    draw: Callable[[Reports, Path], None], reports: Reports, tmp_path: Path
):
    shown = imread(RESULTS / f"{draw.__name__}.png")
    draw(reports, tmp_path / "now.png")
    slower(reports)
    draw(reports, tmp_path / "other.png")
    now, other = (
        calculate_rms(255 * shown, 255 * imread(tmp_path / name))
        for name in ("now.png", "other.png")
    )
    assert now < 0.1 < 1 < other
