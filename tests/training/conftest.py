"""One training for all tests of what training leaves."""

import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from tests.support.commands import settings, undertone_train
from tests.support.ravdess import write_ravdess

PRINTED = "printed.txt"


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> tuple[Path, str]:
    """A cross-validation of all folds and the model fitted after it, on a corpus of buzzes.

    All workers of a run share it, so whoever wants to change something there changes a copy.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    root = shared / "trained"
    with FileLock(shared / "trained.lock"):
        if not (root / PRINTED).is_file():
            shutil.rmtree(root, ignore_errors=True)  # of a process that did not come to its end
            write_ravdess(root / "data" / "ravdess")
            where = ["--data", root / "data", "--out", root / "runs"]
            done = undertone_train("crossval", "ravdess-conv-blstm", *where, *settings())
            models = ["--models", root / "models"]
            undertone_train("fit", "ravdess-conv-blstm", *where, *models, *settings())
            (root / PRINTED).write_text(done.stdout)
    return root, (root / PRINTED).read_text()
