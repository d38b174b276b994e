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


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "[::1]"),
        ("::1", "[::1]"),
        ("127.0.0.2", "127.0.0.2"),
    ],
)
def test_it_asks_where_the_service_listens(monkeypatch, capsys, host, asked):
    monkeypatch.setenv("UNDERTONE_HOST", host)
    monkeypatch.setenv("UNDERTONE_PORT", "1")
    assert health.main() == 1
    assert capsys.readouterr().out.startswith(f"http://{asked}:1/readyz does not answer")


def test_asking_is_cheap() -> None:
    # Every few seconds, beside the service: nothing heavy may come with it.
    loaded = subprocess.run(
        [sys.executable, "-c", "import service.health, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {"tensorflow", "numpy", "fastapi", "pydantic", "undertone"} & set(loaded)
