import subprocess
import sys

import pytest

from service import health


def test_a_port_that_is_no_number_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UNDERTONE_PORT", "http")
    assert health.main() == 1
    assert "127.0.0.1:http" in capsys.readouterr().out


def test_asking_is_cheap() -> None:
    # Every few seconds, beside the service: nothing heavy may come with it.
    loaded = subprocess.run(
        [sys.executable, "-c", "import service.health, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {"tensorflow", "numpy", "fastapi", "pydantic", "undertone"} & set(loaded)
