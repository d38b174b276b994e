"""What one clip costs, step by step, beside the usual way of doing each: `make bench`.

Everything is measured in this one process, in turn, several times over, because machines are noisy;
the table gives the median. Writes ``benchmarks/results/clip.json``.
"""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import librosa
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

import undertone
from benchmarks import MODEL
from undertone import audio
from undertone.classifier import windows
from undertone.features import features
from undertone.preprocess import preprocess
from undertone.spec import Chroma, LogMel, Mfcc, Rms, Spec, Zcr

ROOT = Path(__file__).resolve().parent.parent
CLIP = ROOT / "examples" / "hello.wav"
RESULTS = ROOT / "benchmarks" / "results" / "clip.json"
ROUNDS = 30
EVERYTHING = Spec(features=(LogMel(), Mfcc(), Chroma(), Rms(), Zcr()))


def main() -> None:
    """Measure, print, write."""
    steps = cases()
    for call in steps.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in track(range(ROUNDS), description="rounds"):
        for name, call in steps.items():
            started = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - started)
    medians = {name: 1e3 * statistics.median(values) for name, values in seconds.items()}
    table = Table("step", "median ms")
    for name, value in medians.items():
        table.add_row(name, f"{value:.2f}")
    Console().print(table)
    RESULTS.parent.mkdir(exist_ok=True)
    report = {
        "command": "make bench",
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "rounds": ROUNDS,
        "median_ms": {name: round(value, 3) for name, value in medians.items()},
    }
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")


def cases() -> dict[str, Callable[[], object]]:
    """What is measured, by name."""
    model = undertone.load(MODEL)
    data = CLIP.read_bytes()
    sound = audio.decode(data, model.spec.sr)
    heard = windows(sound.samples, model.spec)
    samples = preprocess(sound.samples, EVERYTHING)
    batch = np.repeat(heard, 32, axis=0)
    return {
        "decode, undertone": lambda: audio.decode(data, model.spec.sr),
        "decode, librosa.load": lambda: librosa.load(CLIP, sr=model.spec.sr),
        "five features, undertone": lambda: features(samples, EVERYTHING),
        "five features, librosa one by one": lambda: one_by_one(samples),
        "features of the model": lambda: windows(sound.samples, model.spec),
        "network, 1 clip": lambda: model.engine.infer(heard),
        "network, 32 clips": lambda: model.engine.infer(batch),
        "all of predict": lambda: model.predict(data),
    }


def one_by_one(samples: np.ndarray) -> list[np.ndarray]:
    """The five features as most code takes them: every call with a transform of its own."""
    shared = {"n_fft": 512, "win_length": 400, "hop_length": 256}
    return [
        librosa.power_to_db(
            librosa.feature.melspectrogram(y=samples, sr=16_000, n_mels=64, **shared)
        ),
        librosa.feature.mfcc(y=samples, sr=16_000, n_mfcc=40, **shared),
        librosa.feature.chroma_stft(y=samples, sr=16_000, **shared),
        librosa.feature.rms(y=samples, frame_length=512, hop_length=256),
        librosa.feature.zero_crossing_rate(samples, frame_length=512, hop_length=256),
    ]


if __name__ == "__main__":
    main()
