"""A process that prepares short clips for another, which gives it the bytes in memory that both see.

`service.helpers` starts it by path. What they say to each other is JSON, one value a packet. Whatever an
upload does to this process, the service outlives.
"""

import gc
import mmap
import signal
import socket
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

import numpy as np
from pydantic import TypeAdapter

from service.memory import give_back_early
from service.preparation import decode_and_begin
from undertone.errors import AudioError
from undertone.limits import Limits
from undertone.plan import Plan
from undertone.spec import Spec
from undertone.wav import Notice

PACKET: Final = 64 * 1024
"""Bytes that a packet may have; a tenth of it is a lot."""

READY: Final = b"ready"
"""The first packet that a helper sends."""


@dataclass(frozen=True, slots=True)
class Order:
    """A clip to prepare.

    Attributes:
        at: where it begins in the memory; its features are put there.
        n_bytes: how long it is.
        room: how long its features may be, in bytes.
        spec: what hears it, as JSON.
    """

    at: int
    n_bytes: int
    room: int
    spec: str


@dataclass(frozen=True, slots=True)
class Done:
    """A clip whose features are where it was; the rest as in `undertone.audio.Audio`, and `Prepared`."""

    duration_s: float
    sample_rate: int
    channels: int
    encoding: str
    warnings: tuple[Notice, ...]
    plan: Plan
    decode_ms: float
    features_ms: float


@dataclass(frozen=True, slots=True)
class Refused:
    """A clip in which no emotion can be heard, and why: an `AudioError` of this ``code``."""

    code: str
    detail: str
    received: dict[str, Any]
    allowed: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Failed:
    """A clip at which the helper failed, and how."""

    reason: str


Outcome: TypeAlias = Done | Refused | Failed

ORDER: Final = TypeAdapter(Order)
OUTCOME: Final = TypeAdapter[Outcome](Outcome)
LIMITS: Final = TypeAdapter(Limits)

_spec: Final = lru_cache(maxsize=16)(Spec.model_validate_json)


def main() -> None:
    """Prepare clips until there is nobody to prepare them for."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the service ends first, and this with it
        signal.signal(number, signal.SIG_IGN)
    line, memory, written = sys.argv[1:]
    limits = LIMITS.validate_json(written)
    give_back_early()
    orders = socket.socket(fileno=int(line))  # which only the end closes: why is said before
    gc.collect()
    gc.freeze()
    with (
        mmap.mmap(int(memory), 0) as shared,
        memoryview(shared) as room,
        suppress(ConnectionError),  # nobody is there any more
    ):
        orders.send(READY)
        while packet := orders.recv(PACKET):
            outcome = prepare(ORDER.validate_json(packet), room, limits)
            orders.send(OUTCOME.dump_json(outcome))


def prepare(order: Order, room: memoryview, limits: Limits) -> Outcome:
    """What becomes of a clip in ``room``."""
    try:
        with room[order.at : order.at + order.n_bytes] as clip:
            found = decode_and_begin(clip, _spec(order.spec), limits, segments=False)
    except AudioError as error:
        return Refused(error.code, error.detail, error.received, error.allowed)
    except Exception:
        return Failed(traceback.format_exc())
    features = np.ascontiguousarray(found.features).reshape(-1).view(np.uint8)
    if features.size > order.room:
        return Failed(f"{features.size} bytes of features find no room in {order.room}")
    room[order.at : order.at + features.size] = features.data
    audio = found.audio
    return Done(
        duration_s=audio.duration_s,
        sample_rate=audio.sample_rate,
        channels=audio.channels,
        encoding=audio.encoding,
        warnings=audio.warnings,
        plan=found.plan,
        decode_ms=found.decode_ms,
        features_ms=found.features_ms,
    )


if __name__ == "__main__":
    main()
