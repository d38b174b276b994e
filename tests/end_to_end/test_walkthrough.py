"""docs/walkthrough.ipynb runs from top to bottom, on clips that it synthesises itself."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.commands import uncounted

PATH = Path(__file__).resolve().parents[2] / "docs" / "walkthrough.ipynb"


@pytest.fixture(scope="module")
def notebook() -> nbformat.NotebookNode:
    return nbformat.read(PATH, as_version=4)


def printed(notebook: nbformat.NotebookNode) -> str:
    return "".join(
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "stream" and output.name == "stdout"
    )


def test_nothing_that_it_put_out_is_committed(notebook):
    """It would hold recordings, and pictures of what another machine made of them."""
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.slow
# Raised inside nbclient's own machinery, between zmq and the event loop.
@pytest.mark.filterwarnings("default")
def test_it_runs(notebook, monkeypatch):
    for name in {"UNDERTONE_DATA", *(os.environ.keys() - uncounted().keys())}:
        monkeypatch.delenv(name, raising=False)
    resources = {"metadata": {"path": str(PATH.parents[1])}}
    NotebookClient(notebook, timeout=1200, kernel_name="python3", resources=resources).execute()
    said = printed(notebook)
    assert "192 clips of 24 speakers" in said
    assert "32 clips of 4 speakers unheard" in said
    assert said.count("was heard as") == 8
    pictures = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 2
