"""The page at / with a microphone: a recording plays into it, and the page hears as the service does."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
from playwright.sync_api import Browser, expect

from tests.support.visitor import KEY, Visitor, percent, predicted, visiting

pytestmark = pytest.mark.slow

ORIGINALS = [f"03-01-0{emotion}-01-01-01-03.wav" for emotion in range(1, 9)]
"""One sentence in each emotion, as RAVDESS publishes it."""


@pytest.fixture
def visitor(browser: Browser, service: str) -> Iterator[Visitor]:
    with visiting(browser, service) as visitor:
        visitor.open()
        yield visitor


def take(visitor: Visitor, microphone: Path, recording: Path) -> list[dict[str, str]]:
    """Play a recording into the microphone, to its end; what the bars showed meanwhile."""
    shutil.copyfile(recording, microphone)
    seconds = soundfile.info(recording).duration
    visitor.speak.click()
    shown = [visitor.bars]
    for _ in range(round((seconds + 0.2) / 0.2)):
        visitor.page.wait_for_timeout(200)
        if shown[-1] != visitor.bars:
            shown.append(visitor.bars)
    visitor.button("Stop").click()
    visitor.wait_for_answer()
    return shown


@pytest.mark.recordings
def test_what_is_spoken_is_answered_as_predict_answers_it(visitor, service, microphone, recordings):
    same = 0
    for name in ORIGINALS:
        original = recordings / "originals" / "ravdess" / name
        shown = take(visitor, microphone, original)
        assert set(shown[0].values()) == {"–"}
        assert len(shown) >= 3, "the bars did not move"
        same += visitor.label == predicted(service, original)["label"]
    assert same >= 7


def test_what_was_recorded_can_be_heard_and_posted_again(
    visitor, service, microphone, hello, tmp_path
):
    take(visitor, microphone, hello)
    recording = tmp_path / "recording.wav"
    recording.write_bytes(visitor.save("Recording"))
    assert soundfile.info(recording).subtype == "PCM_16"
    assert soundfile.info(recording).channels == 1
    reply = predicted(service, recording)
    assert reply["label"] == visitor.label
    shown = {label: int(number.strip("<> %")) for label, number in visitor.bars.items()}
    for each in reply["probabilities"]:
        assert shown[each["label"]] == pytest.approx(100 * each["score"], abs=1.1)
    visitor.button("Play").click()
    expect(visitor.button("Pause")).to_be_visible()


def test_without_a_socket_the_recording_is_posted(visitor, service, microphone, hello, tmp_path):
    visitor.page.route_web_socket("**/stream*", lambda socket: socket.close(code=1011))
    shown = take(visitor, microphone, hello)
    assert [set(each.values()) for each in shown] == [{"–"}]
    recording = tmp_path / "recording.wav"
    recording.write_bytes(visitor.save("Recording"))
    reply = predicted(service, recording)
    assert visitor.bars == {
        each["label"]: percent(each["score"]) for each in reply["probabilities"]
    }


def test_without_a_microphone_the_page_says_so(browser, service):
    with visiting(browser, service) as visitor:
        visitor.page.add_init_script(
            "navigator.mediaDevices.getUserMedia = async () => {"
            " throw new DOMException('', 'NotAllowedError') }"
        )
        visitor.open()
        visitor.speak.click()
        expect(visitor.problem).to_contain_text("The microphone was not allowed")
        expect(visitor.button("Speak into the microphone")).to_be_enabled()


def test_a_key_is_asked_for_and_goes_with_every_question(browser, keyed_service, microphone, hello):
    with visiting(browser, keyed_service) as visitor:
        visitor.page.goto("/")
        field = visitor.page.get_by_label("This service asks for an API key")
        expect(field).to_be_focused()
        field.fill(KEY.upper())
        field.press("Enter")
        field = visitor.page.get_by_label("That key is not known here. Is it another?")
        expect(field).to_be_focused()
        field.fill(KEY)
        field.press("Enter")
        expect(field).to_be_hidden()
        expect(visitor.page.locator("#bars li")).to_have_count(8)
        assert len(take(visitor, microphone, hello)) > 2, "the socket had no key"
        visitor.give(hello)
        line = visitor.page.locator("#curl").inner_text()
        assert "$UNDERTONE_KEY" in line
        assert KEY not in line
