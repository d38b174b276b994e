"""A stream is the upload of the same samples: the shipped model, over HTTP and over a WebSocket."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import soxr
from websockets.sync.client import connect

from service.app import create_app
from service.settings import Settings
from tests.support.servers import running
from undertone import audio, wav

ROOT = Path(__file__).resolve().parents[2]
RATES = (8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000)
TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(create_app(Settings(models=ROOT / "models" / "undertone-ravdess-2"))) as url:
        yield url


def clips(sources: list[Path], count: int) -> Iterator[tuple[np.ndarray, int]]:
    """int16[n] and their rate: one to six recordings in a row with pauses, cut anywhere."""
    generator = np.random.default_rng(count)
    for number in range(count):
        sr = RATES[number % len(RATES)]
        parts = []
        for source in generator.choice(len(sources), size=generator.integers(1, 7)):
            sound = audio.read(sources[source], 48_000).samples
            pause = generator.normal(scale=1e-4, size=generator.integers(0, 4 * 48_000))
            parts += [sound, pause.astype(np.float32)]
        whole = soxr.resample(np.concatenate(parts), 48_000, sr)
        whole = whole[: len(whole) - int(generator.integers(0, len(whole) // 3))]
        yield (whole.clip(-1, 1) * 32767).astype("<i2"), sr


def streamed(url: str, samples: np.ndarray, sr: int, seed: int) -> list[dict]:
    """Every message, for frames of random sizes, some of which end inside a sample."""
    generator = np.random.default_rng(seed)
    data, sizes = samples.tobytes(), generator.choice([1, 2, 77, 640, 4096, 50_001], size=50)
    with connect(f"ws{url[4:]}/stream?sr={sr}", max_size=None, compression=None) as stream:
        for number in range(len(data)):
            size = int(sizes[number % len(sizes)])
            stream.send(data[:size])
            data = data[size:]
            if not data:
                break
        stream.send(json.dumps({"type": "end"}))
        return [json.loads(message) for message in stream]


def uploaded(url: str, samples: np.ndarray, sr: int) -> dict:
    return httpx.post(
        f"{url}/predict",
        content=wav.encode(samples / np.float32(2**15), sr),
        headers={"Content-Type": "audio/wav"},
        params={"segments": True},
        timeout=60,
    ).json()


def scores(answer: dict) -> dict[str, float] | None:
    every = answer["probabilities"]
    return every and {each["label"]: each["score"] for each in every}


def assert_streams_are_uploads(url: str, sources: list[Path], count: int) -> None:
    compared = 0
    for number, (samples, sr) in enumerate(clips(sources, count)):
        _, *shown, summary = streamed(url, samples, sr, seed=number)
        reply = uploaded(url, samples, sr)
        assert scores(summary) == pytest.approx(scores(reply), abs=TOLERANCE)
        assert len(shown) == len(summary["segments"]) == len(reply["segments"])
        for live, end, upload in zip(shown, summary["segments"], reply["segments"], strict=True):
            place = ("start", "end", "reason")
            assert [live[key] for key in place] == [upload[key] for key in place]
            assert {key: live[key] for key in end} == end
            assert scores(live) == (
                upload["probabilities"] and pytest.approx(scores(upload), abs=TOLERANCE)
            )
            compared += live["reason"] is None
    assert compared > count


def test_streams_of_synthesised_speech_are_uploads(url, hello):
    assert_streams_are_uploads(url, [hello], count=7)


@pytest.mark.recordings
def test_streams_of_people_are_uploads(url, hello, recordings):
    originals = sorted((recordings / "originals" / "ravdess").glob("*.wav"))
    assert originals
    assert_streams_are_uploads(url, [hello, *originals], count=40)
