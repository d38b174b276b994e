"""`.ci/audit`, with something that answers as pip-audit does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

AUDIT = Path(__file__).resolve().parent.parent / ".ci" / "audit"

FOUND = {
    "name": "librosa",
    "version": "0.1",
    "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["0.2"]}],
}
SOUND = {"name": "numpy", "version": "2", "vulns": []}
UNKNOWN = {"name": "scipy", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("packages", "status", "said"),
    [
        ([SOUND], 0, "1 locked packages have no known vulnerability"),
        ([SOUND, UNKNOWN], 0, "note: the lock was not audited: 1 of 2 packages are not known"),
        ([SOUND, FOUND, UNKNOWN], 1, "librosa 0.1: PYSEC-2026-1, fixed in 0.2"),
        (None, 0, "note: the lock was not audited: ConnectionError: no route to host"),
    ],
    ids=["sound", "not known", "vulnerable", "no network"],
)
def test_only_a_known_vulnerability_fails(tmp_path, packages, status, said):
    fake = tmp_path / "pip-audit"
    answer = "" if packages is None else json.dumps({"dependencies": packages})
    fake.write_text(
        f"#!/bin/sh\n"
        f"cat << 'END'\n{answer}\nEND\n"
        f"echo ConnectionError: no route to host >&2\nexit 1\n"
    )
    fake.chmod(0o755)
    done = subprocess.run(
        [sys.executable, AUDIT],
        env={**os.environ, "PIP_AUDIT": str(fake)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert said in done.stdout


def test_the_check_of_the_project_runs_it():
    assert "$(BIN)/python .ci/audit" in (AUDIT.parent.parent / "Makefile").read_text()
