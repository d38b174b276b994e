"""Memory that a long recording took goes back to the system once it is answered.

glibc keeps what was freed: it learns from the first large block that is given back to take the next ones
from its heap, where a small block that lives on keeps all below it. So it is told what is large, once.

It also gives threads that meet heaps of their own, each of which grows to what its thread once needed. Ours
hardly meet: one heap is enough, and does not grow by chance. What is free inside of it, under small blocks
that live on, goes back every few seconds.
"""

import ctypes
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Final

LARGE: Final = 16 * 1024 * 1024
"""Bytes from which a block has pages of its own, which go back with it; as many may lie free at the end of
the heap. No clip of a few seconds comes near, so those stay as fast as they were."""

TRIM_S: Final = 10.0
"""How often what is free goes back, where there was something to do meanwhile; it takes ten milliseconds."""

_BUSY_S: Final = 0.05
"""Of processor time; whoever looks at `/healthz` takes less."""

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_WANTED: Final = {_M_TRIM_THRESHOLD: LARGE, _M_MMAP_THRESHOLD: LARGE, _M_ARENA_MAX: 1}
_SETTINGS: Final = (
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_ARENA_MAX",
    "GLIBC_TUNABLES",
)


def give_back_early() -> bool:
    """Tell the allocator of this process; whether it was one that can be told.

    It is left alone where the environment says how it shall behave (``man mallopt``).
    """
    if any(name in os.environ for name in _SETTINGS):
        return False
    libc = ctypes.CDLL(None)
    mallopt, malloc_trim = (getattr(libc, name, None) for name in ("mallopt", "malloc_trim"))
    if not (mallopt and malloc_trim):  # musl, macOS
        return False
    told = all(mallopt(which, value) for which, value in _WANTED.items())
    threading.Thread(target=_trim, args=(malloc_trim,), name="memory", daemon=True).start()
    return told


def _trim(malloc_trim: Callable[[int], Any]) -> None:
    """Give back what is free, for ever; it waits without the interpreter."""
    before = time.process_time()
    while True:
        time.sleep(TRIM_S)
        if (now := time.process_time()) - before > _BUSY_S:
            malloc_trim(0)
            before = now
