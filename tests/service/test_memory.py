"""What was freed leaves the process: seen from outside, by what the system says that it holds."""

import os
import platform
import subprocess
import sys

import pytest

CODE = """
from service.memory import LARGE, give_back_early

def resident_mb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6

told = {tell} and give_back_early()
before = resident_mb()
large, small = [], []
for _ in range(8):
    large.append(bytearray(LARGE + 2**20))
    large.pop()  # from which the allocator learns
    large.append(bytearray(LARGE + 2**20))
    small += [bytes(100_000)]
large.clear()
print(told, resident_mb() - before)
"""


def kept(tell, **environment):
    """Whether the allocator could be told, and how many MB are still there of what was freed."""
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(tell=tell)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    told, megabytes = done.stdout.split()
    return told == "True", float(megabytes)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps what was freed")
def test_what_was_freed_goes_back():
    told, megabytes = kept(tell=True)
    assert told
    assert megabytes < 20
    assert kept(tell=False)[1] > 80, "the allocator gives back by itself: nobody has to tell it"


def test_an_operator_who_has_settings_of_their_own_keeps_them():
    told, _ = kept(tell=True, MALLOC_TRIM_THRESHOLD_="65536")
    assert not told
