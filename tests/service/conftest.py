"""One tiny model and one server for all tests of the service."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from service.app import create_app
from service.cli import app
from service.models import Models, load_models
from service.settings import Settings
from tests.support.bundles import build_bundle
from tests.support.servers import running


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed bundle named undertone-ravdess-2. Copy it before you change it."""
    return build_bundle(tmp_path_factory.mktemp("models") / "undertone-ravdess-2").path


@pytest.fixture(scope="session")
def models(bundle: Path) -> Models:
    return load_models(Settings(models=bundle.parent))


@pytest.fixture(scope="session")
def client(models: Models) -> Iterator[httpx.Client]:
    """Speaks to a real server with default settings."""
    with (
        running(create_app(Settings(), models)) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield client


@pytest.fixture
def undertone(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command, run in this process with `bundle` as its models."""
    monkeypatch.setenv("UNDERTONE_MODELS", str(bundle.parent))
    monkeypatch.setenv("COLUMNS", "160")
    return lambda *arguments: CliRunner().invoke(app, [str(each) for each in arguments])
