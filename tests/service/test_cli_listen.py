"""`undertone listen`: a file that is played, a microphone that is there or is not, Ctrl-C."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import types
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import undertone as library
from service.cli.screen import Screen
from service.cli.sound import NoMicrophone, level, microphone, played
from tests.support.sounds import hum, hum_wav
from undertone.audio import read
from undertone.classifier import Classifier
from undertone.emotions import RAVDESS
from undertone.prediction import Emotion, Segment
from undertone.wav import encode

UNDERTONE = (sys.executable, "-c", "from service.cli import app; app()")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.wav"
    path.write_bytes(hum_wav(seconds=1.7))
    return path


@pytest.fixture(scope="module")
def classifier(bundle: Path) -> Classifier:
    return library.load(bundle)


def events(text: str) -> tuple[list[dict], dict]:
    """The segments and the summary among JSON lines."""
    *segments, summary = map(json.loads, text.splitlines())
    assert {each["type"] for each in segments} == {"segment"}
    assert summary["type"] == "summary"
    return segments, summary


def test_a_pipe_gets_a_line_for_each_window_and_then_the_whole(undertone, clip, classifier):
    result = undertone("listen", "--file", clip)
    assert result.exit_code == 0, result.output
    segments, summary = events(result.stdout)
    expected = classifier.predict(clip, segments=True)
    assert summary["label"] == expected.label
    assert [each["end"] for each in segments] == [each.end for each in expected.segments]
    for said, heard in zip(segments, expected.segments, strict=True):
        scores = {each["label"]: each["score"] for each in said["probabilities"]}
        for each in heard.probabilities:
            assert scores[each.label] == pytest.approx(each.score, abs=1e-3)
    assert [each["end"] for each in summary["segments"]] == [each["end"] for each in segments]


def test_a_service_hears_the_same(undertone, client, clip):
    here, whole = events(undertone("listen", "--file", clip).stdout)
    there, summary = events(undertone("listen", "--file", clip, "--url", client.base_url).stdout)
    assert [each["end"] for each in there] == [each["end"] for each in here]
    assert all(each["latency_ms"] > 0 for each in there)
    assert summary["score"] == pytest.approx(whole["score"], abs=1e-3)
    reply = client.post("/predict", content=clip.read_bytes(), params={"segments": "true"}).json()
    for said, segment in zip(there, reply["segments"], strict=True):
        assert said["score"] == pytest.approx(segment["score"], abs=1e-3)


@pytest.mark.parametrize("over_http", [False, True])
def test_what_the_file_says_of_the_sound_is_told(
    undertone, client, tmp_path, classifier, over_http
):
    """Two channels that cancel each other, recorded too loud, in a file that was cut off."""
    sound = np.clip(8 * hum(seconds=1.7, sr=44_100), -1, 1)
    path = tmp_path / "clip.wav"
    path.write_bytes(encode(np.stack([sound, -sound], axis=1), 44_100, "pcm_s24")[:-601])
    options = ("--url", client.base_url) if over_http else ()
    _, summary = events(undertone("listen", "--file", path, *options).stdout)
    expected = classifier.predict(path, segments=True)
    told = {"data_length_clamped", "truncated_frame", "phase_inverted", "clipped"}
    assert told <= {each["code"] for each in summary["warnings"]}
    assert summary["warnings"] == [
        {"code": each.code, "detail": each.detail} for each in expected.warnings
    ]
    heard = expected.audio
    assert summary["audio"] == {
        "duration_s": heard.duration_s,
        "sample_rate": 44_100,
        "channels": 2,
        "encoding": "pcm_s24",
    }
    exact = 1e-3 if over_http else 1e-6
    scores = {each["label"]: each["score"] for each in summary["probabilities"]}
    for each in expected.probabilities:
        assert scores[each.label] == pytest.approx(each.score, abs=exact)


def test_an_ending_reader_ends_it_quietly(bundle, tmp_path):
    clip = tmp_path / "long.wav"
    clip.write_bytes(hum_wav(seconds=60))
    with subprocess.Popen(
        [*UNDERTONE, "listen", "--file", clip, "--models", bundle.parent],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(30) != 0


def test_silence_is_said_to_be_silence(undertone, tmp_path):
    path = tmp_path / "silence.wav"
    path.write_bytes(hum_wav(seconds=0.3)[:44] + bytes(9600))
    result = undertone("listen", "--file", path)
    assert result.exit_code == 1
    assert "silent" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "said"), [(None, "No such file"), (b"RIFF", "cut off inside its header")]
)
def test_a_file_that_cannot_be_played_is_said_in_one_line(undertone, tmp_path, content, said):
    path = tmp_path / "clip.wav"
    if content is not None:
        path.write_bytes(content)
    result = undertone("listen", "--file", path)
    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_ctrl_c_ends_it_with_the_summary(bundle, tmp_path):
    path = tmp_path / "long.wav"
    path.write_bytes(hum_wav(seconds=60))
    with subprocess.Popen(
        [*UNDERTONE, "listen", "--file", path, "--models", bundle.parent],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        segments, summary = events(first + process.stdout.read())
        assert process.wait(30) == 0
    assert len(segments) < 60
    assert summary["audio"]["duration_s"] < 60
    assert summary["segments"]


def test_a_terminal_gets_bars_that_move(bundle, clip):
    """On a terminal of our own: frames differ, and the last one says what the whole was."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*UNDERTONE, "listen", "--file", clip, "--models", bundle.parent],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"},
    ) as process:
        os.close(theirs)
        drawn = b""
        try:
            while part := os.read(ours, 65_536):
                drawn += part
        except OSError:  # how Linux says that the other side was closed
            pass
        assert process.wait(30) == 0
    os.close(ours)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", drawn.decode())
    bars = set(re.findall(r"neutral ([█▏▎▍▌▋▊▉·]+)", text))
    assert len(bars) > 2
    assert "the whole: " in text
    assert "clip.wav" in text


def frame(screen: Screen) -> str:
    console = Console(width=80, force_terminal=False)
    with console.capture() as capture:
        console.print(screen)
    return capture.get()


def test_the_screen_shows_what_was_heard_last_and_before():
    screen = Screen(("calm", "sad"), "microphone", "tiny 0.1")
    assert "microphone" in frame(screen)
    screen.hear(Segment(0.0, 0.5, (Emotion("sad", 0.9), Emotion("calm", 0.1))))
    for _ in range(50):
        last = frame(screen)
    assert "90.0%" in last
    assert "▇" in last
    screen.hear(Segment(0.0, 1.0, None, "no_speech"))
    assert "(no_speech)" in frame(screen)


def test_without_sounddevice_it_says_what_to_install(undertone, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    result = undertone("listen")
    assert result.exit_code == 1
    assert "pip install 'undertone[listen]'" in result.stderr
    assert result.stderr.count("\n") == 1


class Broken:
    """A sounddevice that finds no device."""

    class PortAudioError(Exception):
        pass

    def query_devices(self, kind: str) -> dict:
        raise self.PortAudioError("Error querying device -1")


def test_without_a_device_it_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", Broken())
    with pytest.raises(NoMicrophone, match=r"No microphone can be opened.*--file"):
        microphone(threading.Event()).__enter__()


def test_the_microphone_gives_its_sound_at_its_own_rate_until_it_is_stopped(monkeypatch):
    class InputStream:
        def __init__(self, *, callback, blocksize, **_):
            self.block = np.full((blocksize, 1), 7, np.int16)
            self.callback = callback

        def __enter__(self):
            for _ in range(3):
                self.callback(self.block, None, None, None)

        def __exit__(self, *_):
            pass

    fake = types.SimpleNamespace(
        PortAudioError=OSError,
        query_devices=lambda kind: {"default_samplerate": 44_100.0},
        InputStream=InputStream,
    )
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    stop = threading.Event()
    with microphone(stop) as (chunks, sr):
        heard = [next(chunks) for _ in range(3)]
        stop.set()
        assert list(chunks) == []
    assert sr == 44_100
    assert all(chunk.shape == (882,) and chunk.dtype == np.int16 for chunk in heard)


def test_a_file_is_played_whole_and_each_chunk_when_it_would_have_been_spoken(clip, monkeypatch):
    waited = []

    class Patient(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout)
            return False

    monkeypatch.setattr("service.cli.sound.time.monotonic", lambda: 100.0)
    samples = read(clip, 16_000).samples
    chunks = list(played(samples, 16_000, Patient()))
    np.testing.assert_array_equal(np.concatenate(chunks), samples)
    spoken = np.cumsum([len(chunk) for chunk in chunks]) / 16_000
    assert waited == pytest.approx(spoken.tolist())


def test_the_level_goes_from_silence_to_full_scale():
    assert level(np.zeros(100, np.float32)) == 0
    assert level(np.ones(100, np.float32)) == 1
    assert level(np.full(100, 2**15 - 1, np.int16)) == pytest.approx(1, abs=1e-3)
    assert 0 < level(hum().astype(np.float32)) < 1


def test_all_emotions_have_a_colour_of_their_own():
    from service.cli.looks import COLOURS

    assert set(COLOURS) == set(RAVDESS)
    assert len(set(COLOURS.values())) == len(RAVDESS)
