"""Processes beside this one that prepare short clips, so that one process answers with all processors.

Python lets one thread at a time do most of what is to be done before the network is asked. A process
beside this one does it at the same time, and leaves the event loop free to speak HTTP. A clip goes there
through memory that both see (`service.helper` is the other side); all else stays here: queues, limits,
models, metrics.

Waking another process costs more than it saves where nobody else is there: `is_crowded` says when it pays.
"""

import asyncio
import logging
import mmap
import os
import re
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service import helper
from service.preparation import Data, Prepared
from service.upload import SHORT
from undertone.audio import Audio
from undertone.errors import BY_CODE
from undertone.limits import Limits
from undertone.spec import Spec

AHEAD: Final = 8
"""Clips that a helper has at a time: the one that it prepares, and as many as it may do until the event loop,
which has much else to do under load, gives it the next."""

CROWD_S: Final = 1.0
"""How long helpers are asked after two requests were last under way at once."""

START_S: Final = 10.0
"""How long the service waits for helpers before it opens."""

STUCK_S: Final = 10.0
"""How long a helper may have one clip in hand, which takes a few milliseconds; then it is killed."""

AGAIN_S: Final = 30.0
"""After how long another is started where one could not."""

_NOTHING: Final = np.zeros(0, np.float32)

_log = logging.getLogger("undertone")


_KEPT: Final = re.compile(
    r"PATH|LANG|LC_\w+|TZ|LD_LIBRARY_PATH|PYTHON\w+|MALLOC_\w+|GLIBC_TUNABLES"
)
"""Variables that a helper is given. It reads what anybody sends: of keys and tokens it is to know none."""


class NoHelper(Exception):
    """There is none for this clip, or none any more; it is left to whoever asked."""


def are_possible() -> bool:
    """Whether this system lets processes see the same memory without a file: Linux does."""
    return hasattr(os, "memfd_create") and hasattr(socket, "SOCK_SEQPACKET")


@dataclass(frozen=True, slots=True)
class _Ear:
    """What is to be known of a spec with every clip."""

    sr: int
    frames: int
    width: int
    written: str
    """The spec, as JSON."""

    @classmethod
    def of(cls, spec: Spec) -> "_Ear":
        return cls(spec.sr, spec.frames, spec.width, spec.model_dump_json())

    @property
    def n_bytes(self) -> int:
        """What the features of a window take."""
        return np.dtype(np.float32).itemsize * self.frames * self.width


@dataclass(eq=False, slots=True)
class _Clip:
    data: Data
    ear: _Ear
    answer: asyncio.Future[Prepared]


@dataclass(eq=False, slots=True)
class _Helper:
    process: subprocess.Popen[bytes]
    line: socket.socket
    room: NDArray[np.uint8]
    """Seen by both; ``uint8[AHEAD, SHORT]``: a row for a clip, and then for its features."""
    is_ready: bool = False
    at_work: deque[tuple[_Clip, int]] = field(default_factory=deque)
    """What it has, in order, and in which row."""
    free: list[int] = field(default_factory=lambda: list(range(AHEAD)))
    """The other rows. The last one used is the first to be used again: it is in the caches yet."""
    patience: asyncio.TimerHandle | None = None

    def give(self, clip: _Clip) -> None:
        row, n_bytes = self.free[-1], len(clip.data)
        self.room[row, :n_bytes] = np.frombuffer(clip.data, np.uint8)
        order = helper.Order(SHORT * row, n_bytes, SHORT, clip.ear.written)
        self.line.send(helper.ORDER.dump_json(order))
        self.free.pop()
        self.at_work.append((clip, row))
        if self.patience is None:
            self._begin_next()

    def take(self, packet: bytes) -> None:
        """Tell who waits what became of the first clip that it has.

        Raises:
            LookupError, ValueError: it says what no helper says.
        """
        outcome = helper.OUTCOME.validate_json(packet)
        clip, row = self.at_work[0]
        if isinstance(outcome, helper.Done):
            result: Prepared | Exception = _prepared(outcome, clip.ear, self.room[row])
        elif isinstance(outcome, helper.Refused):
            kind = BY_CODE[outcome.code]
            result = kind(outcome.detail, received=outcome.received, allowed=outcome.allowed)
        else:
            result = RuntimeError(f"a helper failed:\n{outcome.reason}")
        written = result.features.nbytes if isinstance(result, Prepared) else 0
        self.room[row, : max(len(clip.data), written)] = 0  # nothing that was sent stays
        self.at_work.popleft()
        self.free.append(row)
        self._begin_next()
        if clip.answer.done():
            return
        if isinstance(result, Exception):
            clip.answer.set_exception(result)
        else:
            clip.answer.set_result(result)

    def _begin_next(self) -> None:
        """Wait for the clip that it has in hand now, if there is one."""
        if self.patience is not None:
            self.patience.cancel()
        loop = asyncio.get_running_loop()
        self.patience = loop.call_later(STUCK_S, self.process.kill) if self.at_work else None


class Helpers:
    """The processes, and the clips that wait for them. Of one event loop, once `open` was called there."""

    def __init__(self, size: int, limits: Limits) -> None:
        """Start them; they take a moment, in which this process can do something else.

        Args:
            size: how many; none where that is impossible.
            limits: what a clip has to keep within.
        """
        self._limits = limits
        self._waiting: deque[_Clip] = deque()
        self._under_way = 0
        self._crowded_until = -1.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._helpers: list[_Helper] = []
        try:
            for _ in range(size if are_possible() else 0):
                self._helpers.append(self._started())
        except OSError as error:
            _say_why_not(reason=str(error))

    @property
    def n_ready(self) -> int:
        """How many can be asked."""
        return sum(each.is_ready for each in self._helpers)

    async def open(self) -> None:
        """Wait until they have started, for `START_S` at most: whoever comes later is asked later."""
        self._loop = asyncio.get_running_loop()
        for each in self._helpers:
            self._loop.add_reader(each.line, self._hear, each)
        until = time.monotonic() + START_S
        while self.n_ready < len(self._helpers) and time.monotonic() < until:
            await asyncio.sleep(0.01)

    @property
    def is_crowded(self) -> bool:
        """Whether there are helpers, and requests met a moment ago."""
        return self.n_ready > 0 and time.monotonic() < self._crowded_until

    @contextmanager
    def request(self) -> Iterator[None]:
        """A request that is under way, which others may meet."""
        self._under_way += 1
        if self._under_way > 1:
            self._crowded_until = time.monotonic() + CROWD_S
        try:
            yield
        finally:
            self._under_way -= 1

    async def prepare(self, data: Data, spec: Spec) -> Prepared:
        """A file of one window, as `service.preparation.decode_and_begin` prepares it; cancel to withdraw.

        Args:
            data: at most `service.upload.SHORT` bytes.
            spec: what is to hear it.

        Raises:
            AudioError: it cannot be read, or there is nothing in it to hear an emotion in.
            NoHelper: there is none.
            RuntimeError: the helper failed at it, or died of it.
        """
        ear = _ear(spec)
        if not self.n_ready or max(len(data), ear.n_bytes) > SHORT:
            raise NoHelper
        clip = _Clip(data, ear, asyncio.get_running_loop().create_future())
        self._waiting.append(clip)
        self._hand_out()
        try:
            return await clip.answer
        except asyncio.CancelledError:
            with suppress(ValueError):
                self._waiting.remove(clip)
            raise
        finally:
            del clip, data  # an error holds this frame, and the answer holds the error

    def close(self) -> None:
        """Withdraw what waits, and end them."""
        for each in self._helpers:
            each.process.kill()  # it keeps nothing that could be lost
        for each in self._helpers:
            self._let_go(each)
        for clip in self._waiting:
            clip.answer.cancel()
        self._helpers.clear()
        self._waiting.clear()
        self._loop = None

    def _started(self) -> _Helper:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, ExitStack() as unless_started:
            unless_started.callback(ours.close)
            memory = os.memfd_create("clips")
            try:
                os.ftruncate(memory, AHEAD * SHORT)
                room = np.frombuffer(mmap.mmap(memory, 0), np.uint8).reshape(AHEAD, SHORT)
                limits = helper.LIMITS.dump_json(self._limits).decode()
                arguments = [str(theirs.fileno()), str(memory), limits]
                process = subprocess.Popen(  # noqa: S603 — our own file, by our own interpreter
                    [sys.executable, "-P", helper.__file__, *arguments],
                    pass_fds=(theirs.fileno(), memory),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env=_environment(),
                    start_new_session=True,  # the signals of a terminal are for the service
                )
            finally:
                os.close(memory)
            unless_started.pop_all()
        ours.setblocking(False)
        return _Helper(process, ours, room)

    def _hand_out(self) -> None:
        while self._waiting:
            free = [each for each in self._helpers if each.is_ready and len(each.at_work) < AHEAD]
            if not free:
                return
            clip = self._waiting.popleft()
            if clip.answer.done():
                continue
            chosen = min(free, key=lambda each: len(each.at_work))
            try:
                chosen.give(clip)
            except OSError:  # it died, and this is the first that is heard of it
                self._waiting.appendleft(clip)
                self._lose(chosen)

    def _hear(self, each: _Helper) -> None:
        """What a helper has to say, or that it is gone."""
        try:
            packet = each.line.recv(helper.PACKET)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        if packet:
            self._take(each, packet)
        else:
            self._lose(each)
        self._hand_out()

    def _take(self, each: _Helper, packet: bytes) -> None:
        if packet == helper.READY:
            each.is_ready = True
            return
        try:
            each.take(packet)
        except (LookupError, ValueError):  # it is no longer what it was
            each.process.kill()

    def _lose(self, gone: _Helper) -> None:
        """Replace a helper that died, maybe of the clip that it had in hand; the next one goes elsewhere."""
        was_ready = gone.is_ready
        with suppress(OSError):  # what it said before is still to be heard
            while packet := gone.line.recv(helper.PACKET):
                self._take(gone, packet)
        lost = [clip for clip, _ in gone.at_work]
        self._helpers.remove(gone)
        gone.at_work.clear()
        gone.process.kill()  # it may have closed its line, and stand still
        self._let_go(gone)
        if lost and not lost[0].answer.done():
            lost[0].answer.set_exception(RuntimeError("the helper that prepared it died"))
        self._waiting.extendleft(reversed(lost[1:]))
        fields = {"pid": gone.process.pid, "exit_code": gone.process.returncode}
        if was_ready:
            _log.error("helper died", extra={"fields": fields})
            self._replace()
        else:
            _say_why_not(**fields)
            self._try_again()
        if not self.n_ready:
            for clip in self._waiting:
                if not clip.answer.done():
                    clip.answer.set_exception(NoHelper())
            self._waiting.clear()

    def _replace(self) -> None:
        if self._loop is None:  # the end came first
            return
        try:
            new = self._started()
        except OSError as error:
            _say_why_not(reason=str(error))
            self._try_again()
            return
        self._helpers.append(new)
        self._loop.add_reader(new.line, self._hear, new)

    def _try_again(self) -> None:
        if self._loop is not None:
            self._loop.call_later(AGAIN_S, self._replace)

    def _let_go(self, each: _Helper) -> None:
        """Forget a helper that was killed."""
        if self._loop is not None:
            self._loop.remove_reader(each.line)
        if each.patience is not None:
            each.patience.cancel()
        each.line.close()
        each.process.wait()
        for clip, _ in each.at_work:
            clip.answer.cancel()


def _say_why_not(**fields: object) -> None:
    _log.error("helper did not start", extra={"fields": fields})


def _environment() -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if _KEPT.fullmatch(name)}
    return {**kept, "OPENBLAS_NUM_THREADS": "1"}


_ear: Final = lru_cache(maxsize=16)(_Ear.of)


def _prepared(done: helper.Done, ear: _Ear, room: NDArray[np.uint8]) -> Prepared:
    n_windows = len(done.plan.asked)
    features = room[: n_windows * ear.n_bytes].view(np.float32)
    audio = Audio(
        samples=_NOTHING,
        sr=ear.sr,
        duration_s=done.duration_s,
        sample_rate=done.sample_rate,
        channels=done.channels,
        encoding=done.encoding,
        warnings=done.warnings,
    )
    own = features.reshape(n_windows, ear.frames, ear.width).copy()
    return Prepared(audio, done.plan, own, done.decode_ms, done.features_ms)
