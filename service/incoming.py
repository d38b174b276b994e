"""What a client sends over a stream: frames of sound, and a few words about them."""

import json
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from service.errors import MalformedRequest
from undertone import pcm
from undertone.pcm import Encoding

ENCODINGS: Final[tuple[Encoding, ...]] = ("pcm_s16", "float32")
"""How samples may be sent; as the first, where nothing is said of it."""

_WORDS: Final = (
    '{"type": "end"}',
    *(f'{{"type": "format", "encoding": "{each}"}}' for each in ENCODINGS),
)


class Frames:
    """Samples from frames, each of which may end inside a sample."""

    def __init__(self) -> None:
        self.rest = b""
        """What the last frame held of a sample that it did not complete."""
        self._dtype = pcm.DTYPE[ENCODINGS[0]]

    def take(self, frame: bytes) -> NDArray[Any]:
        """The samples that ``frame`` completes, ``[n]``."""
        data = self.rest + frame
        samples = np.frombuffer(data, self._dtype, len(data) // self._dtype.itemsize)
        self.rest = data[samples.nbytes :]
        return samples

    def switch(self, encoding: Encoding) -> None:
        """Take what comes next as samples of another encoding.

        Raises:
            MalformedRequest: the last sample is not complete.
        """
        if self.rest:
            raise MalformedRequest(
                "The encoding of the sound is changed in the middle of a sample."
            )
        self._dtype = pcm.DTYPE[encoding]


def read_word(text: str) -> Encoding | None:
    """What a text says: the encoding of the sound that follows, or None: there is no more.

    Raises:
        MalformedRequest: it says something else.
    """
    try:
        said: Any = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    if said == {"type": "end"}:
        return None
    for encoding in ENCODINGS:
        if said == {"type": "format", "encoding": encoding}:
            return encoding
    raise MalformedRequest(
        f"The only texts taken are {', '.join(_WORDS)}; sound is sent as binary frames.",
        received={"text": text[:64]},
        allowed={"text": list(_WORDS)},
    )
