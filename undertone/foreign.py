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
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from undertone import foreign_child, mpeg
from undertone.errors import MalformedAudio, UnsupportedAudio
from undertone.limits import Limits, check_duration, check_format, check_size
from undertone.sniff import looks_like
from undertone.wav import Notice

FORMATS: Final = frozenset({"FLAC", "Ogg", "MP3", "AIFF"})

_UNREAD_CODES: Final = frozenset({1, 4})  # SF_ERR_UNRECOGNISED_FORMAT, SF_ERR_UNSUPPORTED_ENCODING
_OGG_PAGE: Final = 27  # bytes of a page's header; the last says how many lacing values follow
_MP3_FRAME: Final = 1152  # samples, at most
_UNKNOWN_LENGTH: Final = 2**63 - 1  # SF_COUNT_MAX: FLAC that was streamed


def recognises(head: bytes) -> bool:
    """Whether a file that begins with ``head`` (16 bytes) is one for `decode`."""
    return looks_like(head) in FORMATS


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """The sound of a file that soundfile reads.

    Attributes:
        samples: float32[n, channels].
        sample_rate: in Hz.
        encoding: soundfile's name for it, such as ``flac_pcm_16`` or ``ogg_vorbis``.
        warnings: ``data_length_clamped``, ``truncated_frame``, ``joined_recordings``.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    encoding: str
    warnings: tuple[Notice, ...] = ()


def decode(data: bytes, timeout_s: float = 10.0, *, limits: Limits | None = None) -> Decoded:
    """The sound of a file that soundfile reads. Safe to call from several threads.

    Args:
        data: the whole file.
        timeout_s: how many seconds it may take before its reader is killed.
        limits: what it has to keep within; the defaults of `Limits` where left out.

    Raises:
        AudioTooLarge, AudioTooLong, UnsupportedAudio: it exceeds the limits, or is of a kind that
            soundfile does not read.
        MalformedAudio: it is damaged, shorter than it says and of a kind that is not heard in part,
            or its reader hung or crashed.
    """
    limits = limits or Limits()
    check_size(len(data), limits)
    kind = looks_like(data[:16])
    length = mpeg.measure(data) if kind == "MP3" else None
    if length is not None:
        check_duration(length.duration_s, limits)
    # Of an MP3 whose length is known only to libsndfile, that is a guess.
    is_guessed = kind == "MP3" and length is None
    stated = data if length is None or length.is_stated else mpeg.with_length(data, length)
    header, samples = _child().ask(
        {
            "n_bytes": len(stated),
            "max_duration_s": limits.max_duration_s,
            "max_sr": limits.max_sr,
            "max_channels": limits.max_channels,
            "is_guessed": is_guessed,
        },
        stated,
        timeout_s,
    )
    if "error" in header:
        error = UnsupportedAudio if header["code"] in _UNREAD_CODES else MalformedAudio
        raise error(f"The file could not be read: {header['error'].strip()}")
    sample_rate, channels, announced = itemgetter("sample_rate", "channels", "n_frames")(header)
    check_format(sample_rate, channels, limits)
    if announced == _UNKNOWN_LENGTH:
        raise UnsupportedAudio("The file does not say how long it is. Convert it to WAV first.")
    frames = samples.reshape(-1, channels)
    check_duration((len(frames) if is_guessed else announced) / sample_rate, limits)
    if len(frames) < announced and kind != "MP3":
        raise MalformedAudio(
            f"The file announces {announced} frames and holds {len(frames)}: it was cut off.",
            received={"frames": len(frames), "announced_frames": announced},
        )
    if length is not None:
        warnings = _about_mp3(length, announced - len(frames))
    elif kind == "Ogg":
        warnings = _about_ogg(data)
    else:
        warnings = _about_aiff(data) if kind == "AIFF" else ()
    return Decoded(frames, sample_rate, header["encoding"], warnings)


def _about_mp3(length: mpeg.Length, n_missing: int) -> tuple[Notice, ...]:
    """What to say of an MP3 of which ``n_missing`` samples could not be decoded."""
    # One frame is missing where the file counts the one that announces the others.
    if n_missing > _MP3_FRAME or (length.announced or 0) > length.n_frames + 1:
        return (_clamped(),)
    if length.rest:
        detail = f"The last {length.rest} bytes are no whole frame; left out."
        return (Notice("truncated_frame", detail),)
    return ()


def _about_ogg(data: bytes) -> tuple[Notice, ...]:
    """What to say of an Ogg file, of whose pages the last one says that it is the last."""
    position, begun, ended = 0, False, False
    while data[position : position + 4] == b"OggS" and position + _OGG_PAGE <= len(data):
        flags, n_lacings = data[position + 5], data[position + _OGG_PAGE - 1]
        begins = bool(flags & 2)
        if begins and begun:
            detail = "Several recordings were joined in this file; only the first one was heard."
            return (Notice("joined_recordings", detail),)
        begun = not begins
        lacings = data[position + _OGG_PAGE : position + _OGG_PAGE + n_lacings]
        position += _OGG_PAGE + n_lacings + sum(lacings)
        ended = bool(flags & 4) and position <= len(data)
    return () if ended else (_clamped(),)


def _about_aiff(data: bytes) -> tuple[Notice, ...]:
    """What to say of an AIFF file, whose first chunk is all of it."""
    return (_clamped(),) if int.from_bytes(data[4:8], "big") + 8 > len(data) else ()


def _clamped() -> Notice:
    return Notice(
        "data_length_clamped",
        "The file holds less sound than it announces: it was cut off. All that there is was read.",
    )


class _Child:
    """The subprocess, and the one conversation at a time that it can hold."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(
        self, request: dict[str, Any], data: bytes, timeout_s: float
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
                answer = _converse(process, request, data)
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
    process: subprocess.Popen[bytes], request: dict[str, Any], data: bytes
) -> tuple[dict[str, Any], NDArray[np.float32]]:
    assert isinstance(process.stdin, io.BufferedWriter)
    assert isinstance(process.stdout, io.BufferedReader)
    foreign_child.send(process.stdin, request)
    process.stdin.write(data)
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
