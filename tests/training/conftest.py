"""One training for all tests of what training leaves."""

import pytest

from tests.support.commands import settings, undertone_train
from tests.support.ravdess import write_ravdess


@pytest.fixture(scope="package")
def trained(tmp_path_factory):
    """A cross-validation of all folds and the model fitted after it, on a corpus of buzzes."""
    root = tmp_path_factory.mktemp("training")
    write_ravdess(root / "data" / "ravdess")
    where = ["--data", root / "data", "--out", root / "runs"]
    printed = undertone_train("crossval", "ravdess-conv-blstm", *where, *settings()).stdout
    undertone_train("fit", "ravdess-conv-blstm", *where, "--models", root / "models", *settings())
    return root, printed
