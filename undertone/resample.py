"""One resampler for whole files and for sound that is still coming in.

soxr's "HQ" (linear phase, 20-bit). Its stream gives, to the last bit, what its one-shot call gives,
wherever the input is cut: a file decoded in blocks, a stream and an array are one and the same sound.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

QUALITY: Final = "HQ"


class Resampler:
    """Mono sound at one rate to another, block by block. Not for use by several threads at once."""

    def __init__(self, sample_rate: int, sr: int) -> None:
        """Begin a sound.

        Args:
            sample_rate: what comes in, in Hz.
            sr: what goes out, in Hz.
        """
        same = sample_rate == sr
        self._soxr = None if same else soxr.ResampleStream(sample_rate, sr, 1, "float32", QUALITY)

    def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next ``float32[n]`` of the sound; what is ready of the result, ``float32[m]``."""
        if self._soxr is None:
            return block
        ready: NDArray[np.float32] = self._soxr.resample_chunk(np.ascontiguousarray(block))
        return ready

    def finish(self) -> NDArray[np.float32]:
        """The rest of the result, ``float32[m]``. Nothing may be pushed afterwards."""
        nothing = np.zeros(0, np.float32)
        if self._soxr is None:
            return nothing
        rest: NDArray[np.float32] = self._soxr.resample_chunk(nothing, last=True)
        return rest

    def resampled(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """A whole sound, ``float32[n]`` by ``float32[n]``: every block pushed, and the rest."""
        yield from map(self.push, blocks)
        yield self.finish()
