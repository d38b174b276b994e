"""The page of results is what its command writes, from manifests whose figures are recomputed."""

from pathlib import Path

from training.standings import page

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_written_by_its_command():
    assert (ROOT / "docs" / "results.md").read_text() == page(ROOT / "models")
