"""The page at / with files: given, heard, played, taken away, refused; by keyboard and by axe."""

import csv
import io
import json
import os
import re
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

import undertone
from service.problems import KINDS
from tests.support.sounds import hum_wav
from tests.support.visitor import Visitor, percent, predicted, visiting
from undertone.wav import encode

pytestmark = pytest.mark.slow


@pytest.fixture
def visitor(browser: Browser, service: str) -> Iterator[Visitor]:
    with visiting(browser, service) as visitor:
        visitor.open()
        yield visitor


def keep(visitor: Visitor, name: str) -> None:
    if folder := os.environ.get("UNDERTONE_SHOTS"):
        visitor.page.wait_for_timeout(600)  # until the bars stand still
        visitor.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_a_chosen_file_is_answered_as_predict_answers_it(visitor, service, hello):
    visitor.give(hello)
    reply = predicted(service, hello)
    assert visitor.label == reply["label"]
    assert visitor.bars == {
        each["label"]: percent(each["score"]) for each in reply["probabilities"]
    }
    words = visitor.verdict.inner_text().replace("\xa0", " ")
    assert f"{reply['sentiment']['label'].capitalize()} sentiment" in words
    assert f"{percent(reply['score'])}: the model is" in words
    assert "3.13 s, 22.05 kHz, mono" in words
    for warning in reply["warnings"]:
        assert warning["detail"] in words
    # A screen reader hears the answer once, whole.
    assert reply["label"] in visitor.page.get_by_role("status").inner_text()


def test_a_dropped_file_is_answered(visitor, service, hello):
    dropped = visitor.page.evaluate_handle(
        """(base64) => {
          const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
          const transfer = new DataTransfer();
          transfer.items.add(new File([bytes], "hello.wav"));
          return transfer;
        }""",
        b64encode(hello.read_bytes()).decode(),
    )
    drop = visitor.page.locator("#drop")
    drop.dispatch_event("dragover", {"dataTransfer": dropped})
    expect(visitor.page.locator("body")).to_have_class("dropping")
    drop.dispatch_event("drop", {"dataTransfer": dropped})
    visitor.wait_for_answer()
    assert visitor.label == predicted(service, hello)["label"]


def test_warnings_are_said_in_words(visitor, service, tmp_path):
    loud = tmp_path / "loud.wav"
    loud.write_bytes(hum_wav()[:-3])  # ends inside a frame
    visitor.give(loud)
    (warning,) = predicted(service, loud)["warnings"][:1]
    expect(visitor.verdict.get_by_role("list", name="Warnings")).to_contain_text(warning["detail"])


@pytest.fixture
def long(hello, tmp_path):
    """The sentence, the same backwards, and once more: 9.4 s."""
    path = tmp_path / "long.wav"
    samples, sr = soundfile.read(hello)
    path.write_bytes(encode(np.concatenate([samples, samples[::-1], samples]), sr))
    return path


def test_a_click_on_the_timeline_plays_from_there(visitor, long):
    visitor.give(long)
    box = visitor.stage.bounding_box()
    assert box
    visitor.stage.click(position={"x": 0.5 * box["width"], "y": 20})
    expect(visitor.button("Pause")).to_be_visible()
    caption = visitor.page.locator("#bars-of")
    expect(caption).to_have_text(re.compile(r"at 0:0[5-9]"))
    assert visitor.position > 4.5
    expect(caption).to_have_text("in the whole recording")  # it ended
    expect(visitor.button("Play")).to_be_visible()
    visitor.button("Play").click()
    visitor.button("Pause").click()
    assert visitor.position < 4.5


def test_bars_show_what_the_timeline_says_of_a_moment(visitor, service, long):
    visitor.give(long)
    segments = predicted(service, long)["segments"]
    assert len(segments) > 3
    visitor.stage.press("End")
    last = segments[-1]
    assert visitor.bars == {each["label"]: percent(each["score"]) for each in last["probabilities"]}
    spoken = visitor.stage.get_attribute("aria-valuetext").replace("\xa0", " ")
    assert spoken == f"0:09.4 of 0:09.4, {last['label']} {percent(last['score'])}"
    rows = visitor.page.locator("#table tbody tr")
    expect(rows).to_have_count(len(segments))


def test_what_is_saved_holds_what_the_page_shows(visitor, service, hello):
    visitor.give(hello)
    saved = json.loads(visitor.save("JSON"))
    reply = predicted(service, hello)
    for changing in ("request_id", "timing_ms"):
        del saved[changing], reply[changing]
    assert saved == {"file": "hello.wav", **reply}

    rows = list(csv.DictReader(io.StringIO(visitor.save("CSV").decode())))
    assert [row["part"] for row in rows] == ["whole", *["window"] * len(reply["segments"])]
    for row, part in zip(rows, [reply, *reply["segments"]], strict=True):
        assert row["label"] == part["label"]
        for each in part["probabilities"]:
            assert float(row[each["label"]]) == each["score"]
    assert {emotion: percent(float(rows[0][emotion])) for emotion in visitor.bars} == visitor.bars
    assert float(rows[-1]["end_s"]) == reply["segments"][-1]["end"]

    assert visitor.save("Recording") == hello.read_bytes()


def test_the_curl_line_repeats_what_was_done(visitor, hello, tmp_path):
    file = tmp_path / """it's, a; "clip" $HOME.wav"""
    file.write_bytes(hello.read_bytes())
    visitor.give(file)
    visitor.button("Copy").click()
    expect(visitor.button("Copied")).to_be_visible()
    line = visitor.page.evaluate("() => navigator.clipboard.readText()")
    done = subprocess.run(
        ["bash", "-euc", line], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    reply = json.loads(done.stdout)
    assert reply["label"] == visitor.label
    assert {e["label"]: percent(e["score"]) for e in reply["probabilities"]} == visitor.bars


def test_what_is_no_wav_is_decoded_by_the_browser(visitor, hello, tmp_path):
    samples, sr = soundfile.read(hello)
    mp3 = tmp_path / "hello.mp3"
    soundfile.write(mp3, samples, sr)
    visitor.give(mp3)
    model = undertone.load("models/undertone-ravdess-2")
    assert visitor.label == model.predict(mp3).label
    expect(visitor.page.locator("#curl")).to_contain_text("hello.wav")
    assert visitor.save("Recording")[:4] == b"RIFF"


def test_another_model_hears_the_same_recording(visitor, service, hello):
    visitor.give(hello)
    visitor.page.get_by_label("Model").select_option("tiny")
    expect(visitor.verdict).to_contain_text("heard by tiny")
    assert visitor.label == predicted(service, hello, model="tiny")["label"]
    expect(visitor.page.locator("#curl")).to_contain_text("model=tiny")


def test_what_the_service_refuses_is_told_in_words(visitor, hello, tmp_path):
    visitor.give(hello)
    refused = tmp_path / "refused.wav"
    for content, code in [
        (b"Dear diary, today nobody spoke." * 20, "unsupported_audio"),
        (encode(np.zeros(16_000), 16_000), "no_speech"),
        (encode(np.tile([0.1, -0.1], 200), 16_000), "too_short"),
    ]:
        title = KINDS[code].title
        refused.write_bytes(content)
        visitor.file.set_input_files(refused)
        expect(visitor.problem.get_by_role("heading")).to_have_text(title)
        assert len(visitor.problem.inner_text()) > len(title) + 40
        expect(visitor.button("JSON")).to_be_disabled()
    visitor.give(hello)
    expect(visitor.problem).to_be_hidden()


def test_what_is_allowed_is_told_with_what_is_not(visitor, tmp_path):
    large = tmp_path / "large.wav"
    large.write_bytes(encode(np.zeros(14_000_000), 48_000))
    visitor.file.set_input_files(large)
    expect(visitor.problem).to_contain_text("The recording is 26.7 MiB.")
    expect(visitor.problem.get_by_role("term")).to_have_text("max bytes")
    expect(visitor.problem.get_by_role("definition")).to_have_text("25 MiB")


def test_a_service_that_is_gone_can_be_asked_again(visitor, hello):
    visitor.page.route("**/predict*", lambda route: route.abort("connectionrefused"))
    visitor.file.set_input_files(hello)
    expect(visitor.problem).to_contain_text("The service does not answer")
    visitor.page.unroute("**/predict*")
    visitor.button("Try again").click()
    visitor.wait_for_answer()


def test_the_newest_question_is_the_one_that_is_answered(visitor, service, hello, tmp_path):
    held = []
    visitor.page.route("**/predict*", lambda route: held.append(route), times=1)
    with visitor.page.expect_request("**/predict*"):
        visitor.file.set_input_files(hello)
    samples, sr = soundfile.read(hello)
    newest = tmp_path / "newest.wav"
    newest.write_bytes(encode(samples[::-1], sr))
    visitor.give(newest)
    with visitor.page.expect_response("**/predict*"):
        held[0].continue_()
    shown = {
        each["label"]: percent(each["score"])
        for each in predicted(service, newest)["probabilities"]
    }
    assert visitor.bars == shown
    expect(visitor.page.locator("#origin")).to_have_text("newest.wav")


def test_everything_is_done_with_the_keyboard_alone(visitor, hello):
    keyboard = visitor.page.keyboard
    order = []
    for _ in range(8):
        keyboard.press("Tab")
        order.append(visitor.page.evaluate("() => document.activeElement.id"))
    assert order == ["", "", "", "", "speak", "file", "model", "stage"]
    # Expected before the last moves: Chromium is told to hand the chooser over, and says nothing back.
    with visitor.page.expect_file_chooser() as chooser:
        keyboard.press("Shift+Tab")
        keyboard.press("Shift+Tab")
        keyboard.press("Enter")
    chooser.value.set_files(hello)
    visitor.wait_for_answer()

    visitor.stage.focus()
    moves = [("ArrowRight", 0.5), ("ArrowRight", 1.0), ("ArrowLeft", 0.5), ("End", 3.13)]
    for key, position in [*moves, ("PageDown", 0.0), ("PageUp", 3.13), ("Home", 0.0)]:
        keyboard.press(key)
        assert visitor.position == pytest.approx(position, abs=0.01)
    keyboard.press("Space")
    expect(visitor.button("Pause")).to_be_visible()
    keyboard.press("Space")
    expect(visitor.button("Play")).to_be_visible()

    keyboard.press("Tab")
    keyboard.press("Enter")  # the table opens
    expect(visitor.page.get_by_role("table")).to_be_visible()
    keyboard.press("Tab")
    keyboard.press("Tab")
    with visitor.page.expect_download():
        keyboard.press("Enter")


def test_a_sound_that_the_browser_does_not_play_is_no_error(visitor, hello):
    visitor.give(hello)
    visitor.wait_for_answer()
    visitor.page.evaluate(
        "() => { HTMLMediaElement.prototype.play = () =>"
        " Promise.reject(new DOMException('', 'AbortError')) }"
    )
    visitor.button("Play").click()
    expect(visitor.button("Play")).to_be_visible()


def faults(visitor: Visitor, **options: object) -> list[tuple[str, list[str]]]:
    """What axe-core finds, but for what it calls minor."""
    visitor.page.wait_for_timeout(500)  # a colour on its way to another is no fault
    found = Axe().run(visitor.page, options=options).response
    assert found["passes"]
    return [
        (each["id"], [node["html"] for node in each["nodes"]])
        for each in found["violations"]
        if each["impact"] != "minor"
    ]


def test_axe_finds_no_fault(visitor, hello, tmp_path):
    empty = tmp_path / "empty.wav"
    empty.write_bytes(b"")
    visitor.file.set_input_files(empty)
    expect(visitor.problem).to_be_visible()
    assert faults(visitor) == []
    visitor.give(hello)
    visitor.page.get_by_text("As a table").click()
    visitor.stage.press("ArrowRight")
    assert faults(visitor) == []


def test_axe_finds_no_fault_in_the_dark(browser, service, hello):
    with visiting(browser, service, color_scheme="dark") as visitor:
        visitor.open()
        visitor.give(hello)
        assert faults(visitor, runOnly=["color-contrast"]) == []


@pytest.mark.parametrize(
    ("scheme", "ground"), [("light", "rgb(239, 244, 243)"), ("dark", "rgb(19, 27, 48)")]
)
def test_it_fits_any_screen(browser, service, hello, scheme, ground):
    with visiting(browser, service, color_scheme=scheme) as visitor:
        visitor.open()
        visitor.give(hello)
        root = visitor.page.locator("html")
        assert root.evaluate("(root) => getComputedStyle(root).backgroundColor") == ground
        for width in (360, 768, 1440):
            visitor.page.set_viewport_size({"width": width, "height": 900})
            assert root.evaluate("(root) => root.scrollWidth") == width
            keep(visitor, f"answer-{width}-{scheme}")


def test_nothing_moves_for_those_who_do_not_want_it(browser, service):
    with visiting(browser, service, reduced_motion="reduce") as visitor:
        visitor.open()
        fill = visitor.page.locator(".bar-fill").first
        assert fill.evaluate("(fill) => getComputedStyle(fill).transitionDuration") == "0s"
