"""How many processors there are to fill."""

import math
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")
"""How much of processors a container may fill, as cgroups of version 2 have it: microseconds in a period."""


def available(quota: Path = QUOTA) -> int:
    """Those that this process may run on, but no more than it may fill.

    Of a machine with many, a container or ``taskset`` may leave it a few; threads for the others would
    only wait for each other.

    Args:
        quota: what limits the container, if anything does.
    """
    usable = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    with suppress(OSError, ValueError, ZeroDivisionError):  # there is none, or it is "max"
        microseconds, period = map(int, quota.read_text().split())
        return max(1, min(usable, math.ceil(microseconds / period)))
    return usable
