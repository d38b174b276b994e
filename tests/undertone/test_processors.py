"""How many processors there are to fill."""

import os
import subprocess
import sys

import pytest

from undertone.processors import available

OURS = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("max 100000", OURS),
        ("50000 100000", 1),
        ("100000 100000", 1),
        ("150000 100000", min(2, OURS)),
        ("6400000 100000", OURS),
        ("nonsense", OURS),
    ],
)
def test_a_container_may_fill_what_its_quota_says(tmp_path, quota, expected):
    file = tmp_path / "cpu.max"
    file.write_text(f"{quota}\n")
    assert available(file) == expected


def test_processors_that_it_may_not_run_on_do_not_count():
    script = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
        "from service.settings import Settings; print(Settings().crew)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert done.stdout == "1\n"


def test_without_a_quota_all_that_it_may_run_on_count(tmp_path):
    assert available(tmp_path / "cpu.max") == OURS
