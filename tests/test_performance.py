"""docs/performance.md says what was measured, of the model that answers."""

from benchmarks import MODEL
from benchmarks.page import PAGE, written
from service.models import PREFERRED


def test_the_tables_are_those_of_the_reports():
    text = PAGE.read_text()
    assert written(text) == text


def test_what_is_measured_is_the_default():
    assert MODEL.name == PREFERRED
    assert MODEL.is_dir()
