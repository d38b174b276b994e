"""One service with the real model and a tiny one, and browsers that reach nothing else.

Chromium is found on the PATH (``apt-get install chromium``); without it these tests are skipped.
Set UNDERTONE_SHOTS to a folder to keep what the browsers saw.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from service.app import create_app
from service.models import Models, load_models
from service.settings import Settings
from tests.support.servers import running
from tests.support.visitor import KEY

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

# A busy machine may take longer than the five seconds of the default: that is no fault of the page.
expect.set_options(timeout=30_000)

MODELS = Path(__file__).resolve().parents[2] / "models"

FLAGS = [
    "--no-sandbox",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]


@pytest.fixture(scope="session")
def both(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Models:
    """`undertone-ravdess-2`, the default, and `tiny`."""
    folder = tmp_path_factory.mktemp("both")
    shutil.copytree(MODELS / "undertone-ravdess-2", folder / "undertone-ravdess-2")
    shutil.copytree(exported, folder / "tiny")
    return load_models(Settings(models=folder))


@pytest.fixture(scope="session")
def service(both: Models) -> Iterator[str]:
    """The address of a service with both models."""
    with running(create_app(Settings(), both)) as url:
        yield url


@pytest.fixture(scope="module")
def keyed_service(both: Models) -> Iterator[str]:
    """The address of one that wants a key, which is `KEY`."""
    settings = Settings.model_validate({"api_keys": f"visitor:{KEY}"})
    with running(create_app(settings, both)) as url:
        yield url


@pytest.fixture(scope="session")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that browsers hear as their microphone, once, from when it is opened.

    They read it anew each time, so that what a test puts there is what the next take hears.
    """
    return tmp_path_factory.mktemp("microphone") / "microphone.wav"


@pytest.fixture(scope="module")
def browser(microphone: Path) -> Iterator[Browser]:
    # Not for the whole session: while it is open, no other test of this thread may run a loop.
    if CHROMIUM is None:
        pytest.skip("needs Chromium on the PATH")
    heard = f"--use-file-for-fake-audio-capture={microphone}%noloop"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*FLAGS, heard], timeout=120_000
        )
        yield browser
        browser.close()
