"""docs/performance.md says what was measured."""

from benchmarks.page import PAGE, written


def test_the_tables_are_those_of_the_reports():
    text = PAGE.read_text()
    assert written(text) == text
