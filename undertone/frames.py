"""Overlapping frames of a sound, without a copy: what `librosa.util.frame` does, at a tenth of its price."""

import math

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


def energies(samples: NDArray[np.float32], length: int, hop: int) -> NDArray[np.float32]:
    """The sum of the squares in each of the frames that `framed` makes, ``float32[frames]``.

    Frames share most of their samples: each is squared once.
    """
    block = math.gcd(length, hop)
    blocks = np.ascontiguousarray(samples)[: samples.size - samples.size % block].reshape(-1, block)
    squares = np.einsum("ij,ij->i", blocks, blocks)
    sums: NDArray[np.float32] = framed(squares, length // block, hop // block).sum(axis=1)
    return sums


def n_centred(n_samples: int, length: int, hop: int) -> int:
    """How many frames `centred` makes of ``n_samples``."""
    return 1 + (n_samples + 2 * (length // 2) - length) // hop


def sounding(samples: NDArray[np.float32], length: int, hop: int) -> range:
    """Those of the frames that `centred` makes which lie between the first and the last with sound in it.

    All of them where there is nothing but zeros.
    """
    is_sound, half = samples != 0, length // 2
    if not is_sound.any():
        return range(n_centred(samples.size, length, hop))
    begin, end = int(is_sound.argmax()), samples.size - int(is_sound[::-1].argmax())
    # Frame i holds the samples from i * hop - half on.
    first = (begin + half - length) // hop + 1
    last = (end + half - 1) // hop
    return range(max(0, first), min(n_centred(samples.size, length, hop), last + 1))


def centred(samples: NDArray[np.float32], length: int, hop: int) -> NDArray[np.float32]:
    """Frames around every ``hop``-th sample, with zeros beyond the ends: ``float32[1 + n // hop, length]``.

    That many for an even ``length``; an odd one ends half a sample sooner.
    """
    return framed(surrounded(samples, length), length, hop)


def surrounded(samples: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """``samples`` with zeros for half a frame beyond each end, as `centred` cuts them."""
    half = length // 2
    padded = np.zeros(samples.size + 2 * half, np.float32)
    padded[half : half + samples.size] = samples
    return padded
