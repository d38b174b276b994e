"""`undertone show`: a picture, or why there is none."""

import os
import sys
from pathlib import Path

import pytest

import undertone as library
from tests.support.sounds import hum_wav
from undertone.show import sheet


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.wav"
    path.write_bytes(hum_wav(seconds=1.2))
    return path


@pytest.mark.parametrize(("name", "magic"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml")])
def test_it_draws(undertone, clip, tmp_path, name, magic):
    result = undertone("show", clip, "-o", tmp_path / name)
    assert result.exit_code == 0, result.output
    assert (tmp_path / name).read_bytes().startswith(magic)


@pytest.mark.parametrize("name", [b"a$b^{$.wav", b"caf\xe9.wav"])
def test_it_draws_whatever_the_name_is(undertone, clip, tmp_path, name):
    odd = clip.rename(clip.with_name(os.fsdecode(name)))
    result = undertone("show", odd, "-o", tmp_path / "a.png")
    assert result.exit_code == 0, result.output


def test_the_sheet_shows_what_was_promised(bundle, clip):
    model = library.load(bundle)
    prediction = model.predict(clip, segments=True)
    figure = sheet(prediction, model.spec, "my title")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    for part in ("Waveform", "Log-mel", "MFCC", "Loudness (RMS)", "What is heard"):
        assert sum(title.startswith(part) for title in titles) == 1
    words = [text.get_text() for text in figure.texts]
    assert "my title" in words
    assert f"{prediction.label} {prediction.score:.0%}" in words
    bars = figure.axes[4].patches
    tops = {round(bar.get_x(), 3): bar.get_y() + bar.get_height() for bar in bars}
    assert len(tops) == len(prediction.segments)
    assert all(top == pytest.approx(1) for top in tops.values())


def test_without_matplotlib_it_says_what_to_install(undertone, clip, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = undertone("show", clip, "-o", tmp_path / "a.png")
    assert result.exit_code == 1
    assert result.stderr == (
        "undertone: show draws with matplotlib: pip install 'undertone[training]'\n"
    )


@pytest.mark.parametrize(
    ("clip_name", "output", "said"),
    [
        ("none.wav", "a.png", "No such file"),
        ("clip.wav", "none/a.png", "cannot write"),
        ("clip.wav", "a.hal", "cannot write"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(undertone, clip, tmp_path, clip_name, output, said):
    result = undertone("show", tmp_path / clip_name, "-o", tmp_path / output)
    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
