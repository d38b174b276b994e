"""FLAC, Ogg, MP3 and AIFF files, through soundfile in a process that can be killed.

libsndfile and what stands behind it are C, and can hang on or crash over a damaged file. One child
per process does the reading, is started at the first file, kept for the next, and replaced when it
has to be killed. It is a plain subprocess: nothing is forked, so TensorFlow may be loaded here, and
a worker of a pool, which may have no `multiprocessing` children, may have this one.
"""

import atexit
import io
import os
import subprocess
import sys
import threading
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from undertone import foreign_child
from undertone.errors import MalformedAudio, UnsupportedAudio
from undertone.limits import Limits, check_duration, check_format, check_size
from undertone.sniff import looks_like

FORMATS: Final = frozenset({"FLAC", "Ogg", "MP3", "AIFF"})

_UNREAD_CODES: Final = frozenset({1, 4})  # SF_ERR_UNRECOGNISED_FORMAT, SF_ERR_UNSUPPORTED_ENCODING
_UNKNOWN_LENGTH: Final = 2**63 - 1  # SF_COUNT_MAX: FLAC that was streamed


def recognises(head: bytes) -> bool:
    """Whether a file that begins with ``head`` (16 bytes) is one for `decode_file`."""
    return looks_like(head) in FORMATS


def decode_file(
    path: str | os.PathLike[str], timeout_s: float = 10.0, *, limits: Limits | None = None
) -> tuple[NDArray[np.float32], int, str]:
    """The sound of a file that soundfile reads. Safe to call from several threads.

    Args:
        path: where it lies.
        timeout_s: how many seconds it may take before its reader is killed.
        limits: what it has to keep within; the defaults of `Limits` where left out.

    Returns:
        float32[n, channels], the sample rate in Hz, and soundfile's name for the encoding, such as
        ``flac_pcm_16`` or ``ogg_vorbis``.

    Raises:
        OSError: it is not there.
        AudioTooLarge, AudioTooLong, UnsupportedAudio: it exceeds the limits, or is of a kind that
            soundfile does not read.
        MalformedAudio: it is damaged, shorter than it says, or its reader hung or crashed.
    """
    limits = limits or Limits()
    path = Path(path).absolute()  # the child may have been started in another folder
    check_size(path.stat().st_size, limits)
    header, samples = _child().ask(
        {
            "path": str(path),
            "max_duration_s": limits.max_duration_s,
            "max_sr": limits.max_sr,
            "max_channels": limits.max_channels,
        },
        timeout_s,
    )
    if "error" in header:
        kind = UnsupportedAudio if header["code"] in _UNREAD_CODES else MalformedAudio
        raise kind(f"The file could not be read: {header['error'].strip()}")
    sample_rate, channels, announced = itemgetter("sample_rate", "channels", "n_frames")(header)
    check_format(sample_rate, channels, limits)
    if announced == _UNKNOWN_LENGTH:
        raise UnsupportedAudio("The file does not say how long it is. Convert it to WAV first.")
    check_duration(announced / sample_rate, limits)
    frames = samples.reshape(-1, channels)
    if len(frames) < announced:
        raise MalformedAudio(
            f"The file announces {announced} frames and holds {len(frames)}: it was cut off.",
            received={"frames": len(frames), "announced_frames": announced},
        )
    return frames, sample_rate, header["encoding"]


class _Child:
    """The subprocess, and the one conversation at a time that it can hold."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(
        self, request: dict[str, Any], timeout_s: float
    ) -> tuple[dict[str, Any], NDArray[np.float32]]:
        with self._lock:
            if self._process is not None and self._process.poll() is not None:
                self._stop()  # it died between two files, of neither
            process = self._process or self._start()
            overdue = threading.Event()

            def kill() -> None:
                overdue.set()
                process.kill()

            timer = threading.Timer(timeout_s, kill)
            timer.start()
            try:
                answer = _converse(process, request)
            except BaseException as error:
                self._stop()
                if not isinstance(error, (EOFError, BrokenPipeError)):
                    raise
                if not overdue.is_set() and process.returncode >= 0:
                    # An exit of Python's own, not a signal: the installation is broken.
                    raise RuntimeError("the process that reads audio files ended early") from error
                reason = f"took longer than {timeout_s:g} s" if overdue.is_set() else "crashed"
                raise MalformedAudio(f"The file is damaged: reading it {reason}.") from error
            finally:
                timer.cancel()
                timer.join()
            if overdue.is_set():  # in the very moment in which the answer was complete
                self._stop()
            return answer

    def close(self) -> None:
        with self._lock:
            self._stop()

    def _start(self) -> subprocess.Popen[bytes]:
        # -P: without it, the package's own folder would come first on the child's path.
        self._process = subprocess.Popen(  # noqa: S603 — our own file, by our own interpreter
            [sys.executable, "-P", foreign_child.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # mpg123 comments on every file
        )
        return self._process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()  # closes the pipes, and waits


def _converse(
    process: subprocess.Popen[bytes], request: dict[str, Any]
) -> tuple[dict[str, Any], NDArray[np.float32]]:
    assert isinstance(process.stdin, io.BufferedWriter)
    assert isinstance(process.stdout, io.BufferedReader)
    foreign_child.send(process.stdin, request)
    process.stdin.flush()
    header = foreign_child.receive(process.stdout)
    if header is None:
        raise EOFError
    raw = np.empty(header.get("n_bytes", 0), np.uint8)
    if process.stdout.readinto(raw.data) < len(raw):
        raise EOFError
    return header, raw.view(np.float32)


_children: Final[dict[int, _Child]] = {}


def _child() -> _Child:
    """This process's own child: one that was inherited through a fork still serves the parent."""
    return _children.setdefault(os.getpid(), _Child())


@atexit.register
def close() -> None:
    """End this process's reader, if there is one; the next file starts another."""
    _child().close()
