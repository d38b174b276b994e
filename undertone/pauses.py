"""In which windows there is nothing to hear an emotion in."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from undertone.errors import NoSpeech

_PAUSE_DB: Final = 40.0
_SILENCE: Final = 1e-8
"""Mean square: -80 dB of full scale, as for a whole recording."""


class Pauses:
    """Tells pauses from speech, window by window, in the order of time.

    A window is a pause that is `_PAUSE_DB` quieter than the loudest so far: what comes later cannot
    be asked for while somebody still speaks, and a file is to be heard as a stream is.
    """

    def __init__(self) -> None:
        self._loudest = _SILENCE * 10 ** (_PAUSE_DB / 10)

    def reason(self, samples: NDArray[np.float32]) -> str | None:
        """Why no emotion is heard in the next window, ``float32[n]``; None where one can be."""
        power = float(np.dot(samples, samples)) / samples.size
        self._loudest = max(self._loudest, power)
        return NoSpeech.code if power < self._loudest * 10 ** (-_PAUSE_DB / 10) else None
