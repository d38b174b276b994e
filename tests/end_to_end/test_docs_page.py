"""/docs and /redoc in a browser with no network but the service itself.

Chromium is found on the PATH (``apt-get install chromium``); without it these tests are skipped.
Set UNDERTONE_SHOTS to a folder to keep what the browser saw.
"""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, Route, expect, sync_playwright

from service.app import create_app
from service.models import load_models
from service.settings import Settings
from tests.support.bundles import build_bundle
from tests.support.servers import running

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

FLAGS = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="needs Chromium on the PATH"),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("models")
    build_bundle(folder / "undertone-ravdess-2")
    settings = Settings(models=folder)
    with running(create_app(settings, load_models(settings))) as url:
        yield url


@pytest.fixture
def page(url: str) -> Iterator[Page]:
    """A page that reaches the service and nothing else, and asks for nothing else."""
    asked: list[str] = []
    errors: list[str] = []

    def only_us(route: Route, request: Request) -> None:
        if request.url.startswith((url, "data:", "blob:")):
            route.continue_()
        else:
            asked.append(request.url)
            route.abort("internetdisconnected")

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=120_000)
        page = browser.new_page(base_url=url, viewport={"width": 1280, "height": 1600})
        page.route("**/*", only_us)
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        browser.close()
    assert asked == []
    assert errors == []


def keep(page: Page, name: str) -> None:
    folder = os.environ.get("UNDERTONE_SHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_a_prediction_is_made_from_the_docs_page(page: Page, hello: Path) -> None:
    page.goto("/docs")
    page.locator("#operations-predict-predict .opblock-summary-control").click()
    operation = page.locator("#operations-predict-predict")
    operation.locator("input[type=file]").set_input_files(hello)
    keep(page, "docs-before")
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table .response-col_description code").first
    expect(answer).to_contain_text('"probabilities"')
    keep(page, "docs-after")
    reply = json.loads(answer.inner_text())
    assert sum(each["score"] for each in reply["probabilities"]) == pytest.approx(1, abs=1e-6)
    assert reply["audio"]["sample_rate"] == 22_050


def test_the_reference_page_shows_every_address(page: Page) -> None:
    page.goto("/redoc")
    expect(page.get_by_role("heading", name="Hear the emotion in a recording")).to_be_visible()
    for address in ("/predict", "/models/{name}", "/metrics"):
        expect(page.get_by_text(address, exact=True).first).to_be_attached()
    keep(page, "redoc")
