import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from service.settings import Settings, explain, misspelt


def test_the_environment_is_read(monkeypatch, tmp_path):
    monkeypatch.setenv("UNDERTONE_PORT", "9001")
    monkeypatch.setenv("UNDERTONE_MODELS", str(tmp_path))
    monkeypatch.setenv("UNDERTONE_MAX_UPLOAD_BYTES", "1000")
    monkeypatch.setenv("UNDERTONE_MAX_DURATION_S", "2.5")
    monkeypatch.setenv("UNDERTONE_THREADS", "")
    settings = Settings()
    assert settings.port == 9001
    assert settings.models == tmp_path
    assert (settings.limits.max_bytes, settings.limits.max_duration_s) == (1000, 2.5)
    assert settings.threads is None, "empty counts as unset"


def test_the_defaults_serve_the_models_of_this_repository(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(f"UNDERTONE_{name.upper()}", raising=False)
    settings = Settings()
    assert settings.models == Path(__file__).resolve().parents[2] / "models"
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.crew >= 1


def test_an_argument_beats_the_environment(monkeypatch):
    monkeypatch.setenv("UNDERTONE_PORT", "9001")
    assert Settings.model_validate({"port": 9002}).port == 9002


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "65536"),
        ("MAX_UPLOAD_BYTES", "0"),
        ("THREADS", "-1"),
        ("LOG_LEVEL", "chatty"),
        ("DOCS", "perhaps"),
        ("MAX_DURATION_S", "inf"),
        ("MAX_DURATION_S", "nan"),
        ("DEADLINE_S", "nan"),
        ("GRACE_S", "inf"),
        ("CORS_ORIGINS", "http://localhost:9000/"),
        ("CORS_ORIGINS", "http://localhost:9000/page"),
        ("CORS_ORIGINS", "example.com"),
        ("CORS_ORIGINS", "https://one.example https://two.example"),
        ("CORS_ORIGINS", "https://*.example.com"),
        ("CORS_ORIGINS", "https://Example.com"),
        ("CORS_ORIGINS", "https://example.com:443"),
        ("CORS_ORIGINS", "https://me@example.com"),
        ("API_KEYS_FILE", "/nowhere/keys"),
    ],
)
def test_what_is_wrong_is_said_with_its_variable_and_value(monkeypatch, name, value):
    monkeypatch.setenv(f"UNDERTONE_{name}", value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert re.fullmatch(f"UNDERTONE_{name}={re.escape(value)}: .+", explain(caught.value))


@pytest.mark.parametrize(
    "origin",
    [
        *("*", "null", "https://example.com", "http://localhost:9000", "http://127.0.0.1:8080"),
        *("http://[::1]:9000", "https://xn--mller-kva.example", "chrome-extension://abcdefgh"),
    ],
)
def test_origins_that_browsers_send_are_taken(monkeypatch, origin):
    monkeypatch.setenv("UNDERTONE_CORS_ORIGINS", f"https://one.example, {origin},")
    assert Settings().cors_origins == ("https://one.example", origin)


def test_a_setting_that_is_none_is_told_with_the_one_that_may_be_meant():
    environment = {
        "PATH": "/bin",
        "UNDERTONE_DATA": "/data",
        "UNDERTONE_MAX_REQUEST": "1",
        "UNDERTONE_PORT": "8000",
        "undertone_workers": "2",
        "Undertone_Hosst": "::",
        "UNDERTONE_QUX": "1",
    }
    assert misspelt(environment) == {
        "UNDERTONE_MAX_REQUEST": "UNDERTONE_MAX_REQUESTS",
        "UNDERTONE_QUX": None,
        "Undertone_Hosst": "UNDERTONE_HOST",
    }


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_described(name):
    assert Settings.model_fields[name].description
