"""Memory that a long recording took goes back to the system once it is answered.

glibc keeps what was freed: it learns from the first large block that is given back to take the next ones
from its heap, where a small block that lives on keeps all below it. So it is told what is large, once.
"""

import ctypes
import os
from typing import Final

LARGE: Final = 16 * 1024 * 1024
"""Bytes from which a block has pages of its own, which go back with it; as many may lie free at the end of
the heap. No clip of a few seconds comes near, so those stay as fast as they were."""

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_SETTINGS: Final = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def give_back_early() -> bool:
    """Tell the allocator of this process; whether it was one that can be told.

    It is left alone where the environment says how it shall behave (``man mallopt``).
    """
    if any(name in os.environ for name in _SETTINGS):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl, macOS
        return False
    return all(mallopt(each, LARGE) for each in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD))
