"""What a recording needs before the network is asked: done on the event loop, in a thread, or by a helper."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undertone.audio import Audio, Limits, decode
from undertone.plan import Plan, make_plan, prepare
from undertone.spec import Spec

Data = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Prepared:
    """A recording of which the network can be asked.

    Attributes:
        audio: the recording; without its samples where another process has them.
        plan: what is asked about it.
        features: of the first batch of windows, ``float32[windows, frames, width]``.
        decode_ms: what the first took, in milliseconds.
        features_ms: what the other two took.
    """

    audio: Audio
    plan: Plan
    features: NDArray[np.float32]
    decode_ms: float
    features_ms: float


def begin(audio: Audio, spec: Spec, segments: bool, decode_ms: float = 0.0) -> Prepared:
    """What a clip needs before the network: all of it for most, the first batch of a long one.

    Raises:
        NoSpeech: nobody speaks in it.
    """
    started = time.perf_counter()
    plan = make_plan(audio.samples, spec, segments=segments)
    features = prepare(audio.samples, next(plan.batches, ()), spec)
    return Prepared(audio, plan, features, decode_ms, 1e3 * (time.perf_counter() - started))


def decode_and_begin(data: Data, spec: Spec, limits: Limits, segments: bool) -> Prepared:
    """The same, of a file.

    Raises:
        AudioError: it cannot be read, or there is nothing in it to hear an emotion in.
    """
    started = time.perf_counter()
    audio = decode(data, spec.sr, limits)
    return begin(audio, spec, segments, 1e3 * (time.perf_counter() - started))
