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


FREE_INSIDE = """
import time
from service import memory

memory.TRIM_S = 0.1

def resident_mb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6

assert memory.give_back_early()
before, large, small = resident_mb(), [], []
for _ in range(1_000):
    large.append(bytes(100_000))
    small.append(bytes(1_000))
large.clear()
end = time.monotonic() + {seconds}
while time.monotonic() < end and resident_mb() - before > 20:
    sum(range(10_000))
print(resident_mb() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps what was freed")
@pytest.mark.parametrize(("seconds", "is_kept"), [(0, True), (60, False)])
def test_what_is_free_under_small_blocks_goes_back_after_a_while(seconds, is_kept):
    code = FREE_INSIDE.format(seconds=seconds)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (float(done.stdout) > 20) is is_kept


HEAPS = """
import ctypes, threading
from pathlib import Path
from service.memory import give_back_early

assert not {tell} or give_back_early()
c = ctypes.CDLL(None)
for _ in range(4):
    thread = threading.Thread(target=c.malloc, args=(1_000,))
    thread.start()
    thread.join()
c.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(c.fopen({path!r}.encode(), b"w"))
c.malloc_info(0, file)
c.fclose(file)
print(Path({path!r}).read_text().count("<heap nr="))
"""


def heaps(tell, tmp_path):
    code = HEAPS.format(tell=tell, path=str(tmp_path / "heaps.xml"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has several heaps")
def test_threads_share_one_heap(tmp_path):
    assert heaps(True, tmp_path) == 1
    assert heaps(False, tmp_path) > 1


def test_an_operator_who_has_settings_of_their_own_keeps_them():
    told, _ = kept(tell=True, MALLOC_TRIM_THRESHOLD_="65536")
    assert not told
