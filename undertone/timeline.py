"""Where the windows of a recording lie, whether all of it is there or it is still being spoken.

One rule for both, so that the end of a stream is what the file of the same samples would have given:

- A window ends every ``hop`` and begins ``length`` before. At the beginning, where there is less than
  that, a window is all there is so far: something can be shown after half a second.
- What is left over at the end is heard in a last window, which ends where the recording ends, if it
  lasts at least `SHORTEST_S`; less is in no window.
- ``hop`` is the spec's ``hop_s``, halved until it is at most `CLOSEST_S`. How closely one looks does not
  change the answer for the whole: those that vote for it are the whole windows a ``hop_s`` apart, and
  the last one. A recording of up to ``clip_s`` is answered in one pass, as in training.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from undertone.limits import Limits
from undertone.spec import Spec

CLOSEST_S: Final = 0.5
"""A display that changes twice a second is felt to be live, and costs twice what the answer costs."""

SHORTEST_S: Final = Limits().min_duration_s
"""A window shorter than the shortest recording says nothing."""


class Span(NamedTuple):
    """A part of a recording, in samples at the spec's rate."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Grid:
    """The rule above for one spec, in samples."""

    length: int
    hop: int
    """Between the ends of two windows."""
    stride: int
    """Between the ends of two windows that vote; a multiple of ``hop``."""
    clip: int
    """The longest recording that is answered in one pass."""
    shortest: int

    @classmethod
    def of(cls, spec: Spec) -> Self:
        """The grid of a spec."""
        hop, times = round(spec.windows.hop_s * spec.sr), 1
        while hop > CLOSEST_S * spec.sr:
            hop, times = hop // 2, times * 2
        return cls(
            length=round(spec.windows.length_s * spec.sr),
            hop=hop,
            stride=hop * times,
            clip=round(spec.windows.clip_s * spec.sr),
            shortest=round(SHORTEST_S * spec.sr),
        )

    @property
    def first(self) -> int:
        """Where the first window ends: a whole one ends at ``length``, the others count from there."""
        first = self.length % self.hop
        return first if first >= self.shortest else first + self.hop

    def ending(self, end: int) -> Span:
        """The window that ends at ``end``."""
        return Span(max(0, end - self.length), end)

    def last(self, n_samples: int) -> Span | None:
        """The window that the end of a recording adds, if it adds one."""
        regular = n_samples - (n_samples - self.first) % self.hop if n_samples >= self.first else 0
        return self.ending(n_samples) if n_samples - regular >= self.shortest else None

    def spans(self, n_samples: int) -> tuple[Span, ...]:
        """All windows of a recording, in order."""
        regular = map(self.ending, range(self.first, n_samples + 1, self.hop))
        last = self.last(n_samples)
        return (*regular, last) if last else tuple(regular)

    def voters(self, n_samples: int) -> tuple[Span, ...]:
        """The windows that count for the answer to the whole of a recording, in order."""
        if n_samples <= self.clip:
            return (Span(0, n_samples),)
        spans = self.spans(n_samples)
        first = spans.index(Span(0, self.length))
        regular = (span for span in spans[first:-1] if span.start % self.stride == 0)
        return (*regular, spans[-1])


class Reel:
    """Sound as it comes in, and the windows that are complete; forgets what no window needs any more.

    A recording that may yet be answered in one pass (``grid.clip``) is kept whole until it is longer.
    """

    def __init__(self, grid: Grid) -> None:
        self.n_samples = 0
        """How much was pushed."""
        self._grid = grid
        self._next = grid.first
        self._blocks: list[NDArray[np.float32]] = []
        self._origin = 0  # where the first of the blocks begins

    def push(self, block: NDArray[np.float32]) -> Iterator[tuple[Span, NDArray[np.float32]]]:
        """The next ``float32[n]``; the windows that it completes, each with its samples, at once."""
        self._blocks.append(block)
        self.n_samples += block.size
        ready = range(self._next, self.n_samples + 1, self._grid.hop)
        if not ready:
            return iter(())
        self._next = ready[-1] + self._grid.hop
        spans = [self._grid.ending(end) for end in ready]
        found = [(span, self.cut(span)) for span in spans]
        if self.n_samples > self._grid.clip:
            # The last window ends where the recording does: anywhere from here on.
            self._forget(self.n_samples - self._grid.length)
        return iter(found)

    def cut(self, span: Span) -> NDArray[np.float32]:
        """The samples of a window that is complete and was not forgotten."""
        if len(self._blocks) > 1:
            self._blocks = [np.concatenate(self._blocks)]
        return self._blocks[0][span.start - self._origin : span.end - self._origin]

    def _forget(self, until: int) -> None:
        # A copy: a view would keep all of it alive.
        self._blocks = [self._blocks[0][until - self._origin :].copy()]
        self._origin = until
