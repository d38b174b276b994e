"""A corpus with RAVDESS's names and nobody's voice: each emotion is a hum of its own."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tests.support.sounds import hum
from undertone.wav import encode

SR = 16_000


def write_ravdess(
    root: Path, actors: Iterable[int] = range(1, 25), *, seconds: float = 0.6, repetitions: int = 1
) -> Path:
    """Write ``Actor_NN/03-01-….wav`` for every emotion below ``root``; no two clips are alike."""
    for actor in actors:
        folder = root / f"Actor_{actor:02d}"
        folder.mkdir(parents=True)
        for emotion in range(1, 9):
            for repetition in range(1, repetitions + 1):
                name = f"03-01-{emotion:02d}-01-01-{repetition:02d}-{actor:02d}.wav"
                samples = voice(emotion, seconds, seed=1000 * actor + 10 * emotion + repetition)
                (folder / name).write_bytes(encode(samples, SR))
    return root


def voice(emotion: int, seconds: float, seed: int) -> np.ndarray:
    """``float32[n, 1]``: a hum whose pitch tells the emotion, in a little noise."""
    generator = np.random.default_rng(seed)
    pitch = 80 * 1.2**emotion * generator.uniform(0.98, 1.02)
    samples = hum(seconds, pitch, SR)
    noise = generator.normal(scale=0.002, size=samples.size)
    return (samples + noise).astype(np.float32)[:, None]
