"""Somebody who visits the page with a browser: what they do, and what they see."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Locator, Page, expect

KEY = "a-key-of-a-visitor-0123456789"


class Visitor:
    """The page in a browser, by what stands on it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.speak = page.locator("#speak")
        self.file = page.locator("#file")
        self.stage = page.get_by_role("slider", name="Position in the recording")
        self.play = page.locator("#play")
        self.verdict = page.locator("#verdict")
        self.problem = page.get_by_role("alert")

    def open(self) -> None:
        """Go there, and wait until the models are known."""
        self.page.goto("/")
        expect(self.page.locator("#bars li")).not_to_have_count(0)

    def give(self, *files: str | Path) -> None:
        """Choose a file, and wait for the answer."""
        self.file.set_input_files(files)
        self.wait_for_answer()

    def wait_for_answer(self) -> None:
        expect(self.button("JSON")).to_be_enabled(timeout=60_000)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    @property
    def label(self) -> str:
        """The emotion that the page says it sounds."""
        return self.verdict.locator(".verdict-word").inner_text()

    @property
    def bars(self) -> dict[str, str]:
        """The number beside each emotion."""
        rows = [row.split("\n") for row in self.page.locator("#bars li").all_inner_texts()]
        return {emotion: number.replace("\xa0", " ") for emotion, number in rows}

    @property
    def position(self) -> float:
        """Where the playhead stands, in seconds."""
        return float(self.stage.get_attribute("aria-valuenow") or "nan")

    def save(self, button: str) -> bytes:
        """What the browser saves when a button is pressed."""
        with self.page.expect_download() as download:
            self.button(button).click()
        return download.value.path().read_bytes()


@contextmanager
def visiting(browser: Browser, url: str, **options: Any) -> Iterator[Visitor]:
    """A visit with a browser's context of its own, which asks nobody but ``url`` and logs no error."""
    context = browser.new_context(base_url=url, accept_downloads=True, **options)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=url)
    page = context.new_page()
    elsewhere: list[str] = []
    errors: list[str] = []
    ours = (url, url.replace("http", "ws", 1), "data:", "blob:")
    page.on(
        "request", lambda request: request.url.startswith(ours) or elsewhere.append(request.url)
    )
    page.on("websocket", lambda socket: socket.url.startswith(ours) or elsewhere.append(socket.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda message: "Content Security" in message.text and errors.append(message.text),
    )
    yield Visitor(page)
    context.close()
    assert not elsewhere, elsewhere
    assert not errors, errors


def percent(share: float) -> str:
    """A probability as the page writes it."""
    if 0 < share < 0.01:
        return "< 1 %"
    if 0.99 < share < 1:
        return "> 99 %"
    return f"{int(100 * share + 0.5)} %"


def predicted(url: str, file: Path, **query: str) -> dict[str, Any]:
    """What the service itself answers for a file, with its timeline."""
    with file.open("rb") as clip:
        reply = httpx.post(
            f"{url}/predict",
            params={"segments": "true", **query},
            files={"file": clip},
            timeout=60,
        )
    assert reply.status_code == 200, reply.text
    answer: dict[str, Any] = reply.json()
    return answer


def number(text: str) -> float:
    """The first number in a text."""
    match = re.search(r"\d+(\.\d+)?", text)
    assert match, text
    return float(match[0])
