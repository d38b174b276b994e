"""Tasks side by side: one that fails ends the rest, and so does whoever gives up."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from rich.console import Console

from training import recipe
from training.errors import RunError
from training.pool import do_all
from training.task import Run

RECIPE = recipe.load("ravdess-conv-blstm")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def no_tensorflow(monkeypatch):
    """Nothing is trained here, and importing it takes longer than all the rest."""
    monkeypatch.setenv("KERAS_BACKEND", "none")


def runs(folder, count):
    return [
        Run(RECIPE, seed, folder, folder / str(seed), folder, "abc", "unseen", "1")
        for seed in range(count)
    ]


def begin_and_fail(run, _):
    (run.folder / "begun").touch()
    raise RunError(f"seed {run.seed} fails")


def begin_and_die(run, _):
    (run.folder / "begun").touch()
    os.kill(os.getpid(), signal.SIGKILL)


def begin_and_wait(run, _):
    (run.folder / "begun").touch()
    time.sleep(600)


def begun(folder):
    return sorted(path.parent.name for path in folder.glob("*/begun"))


@pytest.mark.slow
def test_after_a_failure_no_other_is_begun(tmp_path):
    with pytest.raises(RunError, match="seed 0 fails"):
        do_all(runs(tmp_path, 4), begin_and_fail, 1, Console(quiet=True))
    assert begun(tmp_path) == ["0"]


@pytest.mark.slow
def test_a_process_that_is_killed_is_told_of(tmp_path):
    with pytest.raises(RunError, match="is there enough memory"):
        do_all(runs(tmp_path, 2), begin_and_die, 1, Console(quiet=True))


@pytest.mark.slow
def test_ctrl_c_ends_what_is_running_and_begins_nothing(tmp_path):
    program = f"""
        from pathlib import Path
        from rich.console import Console
        from tests.training import test_pool
        from training.pool import do_all
        if __name__ == "__main__":
            tasks = test_pool.runs(Path({str(tmp_path)!r}), 3)
            do_all(tasks, test_pool.begin_and_wait, 1, Console(quiet=True))
    """
    script = tmp_path / "program.py"
    script.write_text(textwrap.dedent(program))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, script], env=environment, start_new_session=True, stderr=subprocess.DEVNULL
    ) as process:
        while not begun(tmp_path):
            assert process.poll() is None
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=60)
    assert process.returncode != 0
    assert begun(tmp_path) == ["0"]
