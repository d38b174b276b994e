"""Sound as it comes: from the microphone, or from a file at the pace at which it was spoken."""

import math
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from undertone.errors import UndertoneError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Chunk: TypeAlias = "NDArray[Any]"
"""Mono samples [n]: float32, or int16."""

CHUNK_S: Final = 0.02
"""As short as a network packet of speech: what is shown never waits for the next one."""

_LOOK_S: Final = 0.1
"""How often a silent device is asked whether listening shall end."""


class NoMicrophone(UndertoneError):
    """There is nothing to listen with."""

    code = "no_microphone"


def played(samples: Chunk, sr: int, stop: threading.Event) -> Iterator[Chunk]:
    """A recording at ``sr`` Hz in parts, each when it would have been spoken, until ``stop``."""
    size = round(CHUNK_S * sr)
    began = time.monotonic()
    for start in range(0, samples.size, size):
        chunk = samples[start : start + size]
        if stop.wait(max(0.0, began + (start + chunk.size) / sr - time.monotonic())):
            return
        yield chunk


@contextmanager
def microphone(stop: threading.Event) -> Iterator[tuple[Iterator[Chunk], int]]:
    """The default microphone, open while the block lasts: int16 chunks until ``stop``, and their rate.

    Raises:
        NoMicrophone: sounddevice or PortAudio is not installed, or there is no device.
    """
    try:
        import sounddevice
    except ImportError as error:
        raise NoMicrophone(
            "The microphone needs the package sounddevice: pip install 'undertone[listen]'. "
            "A recording needs nothing: --file CLIP."
        ) from error
    except OSError as error:  # what it raises where the library behind it is not there
        raise NoMicrophone(
            "The microphone needs PortAudio, and the system has none; on Debian and Ubuntu: "
            "apt install libportaudio2. A recording needs nothing: --file CLIP."
        ) from error
    chunks: queue.SimpleQueue[Chunk] = queue.SimpleQueue()
    try:
        sr = round(sounddevice.query_devices(kind="input")["default_samplerate"])
        stream = sounddevice.InputStream(
            samplerate=sr,
            blocksize=round(CHUNK_S * sr),
            channels=1,
            dtype="int16",
            callback=lambda block, *_: chunks.put(block[:, 0].copy()),
        )
    except (sounddevice.PortAudioError, ValueError) as error:
        raise NoMicrophone(
            f"No microphone can be opened ({error}). A recording needs none: --file CLIP."
        ) from error
    with stream:
        yield _until(stop, chunks), sr


def _until(stop: threading.Event, chunks: "queue.SimpleQueue[Chunk]") -> Iterator[Chunk]:
    while not stop.is_set():
        try:
            yield chunks.get(timeout=_LOOK_S)
        except queue.Empty:
            continue


def level(chunk: Chunk) -> float:
    """How loud a chunk is, from 0 (-60 dB of full scale and below) to 1."""
    import numpy as np

    samples = chunk / np.float32(2**15) if chunk.dtype == np.int16 else chunk
    rms = float(np.sqrt(np.mean(np.square(samples)))) if samples.size else 0.0
    return min(1.0, max(0.0, 1 + math.log10(max(rms, 1e-9)) / 3))
