"""What `undertone listen` shows while somebody speaks: bars that move, and the emotion so far."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from service.cli.hearing import Answer
from service.cli.looks import bar, colour

if TYPE_CHECKING:
    from undertone.prediction import Emotion, Segment

_EASE: Final = 0.35
"""How much of the way to its new length a bar goes with each frame: they glide."""

_LABEL: Final = 10
_PERCENT: Final = 7


class Screen:
    """Drawn again for every frame, from what was heard last.

    Attributes:
        level: how loud it is now, from 0 to 1.
        seconds: how much was heard.
    """

    def __init__(self, emotions: Sequence[str], source: str, model: str) -> None:
        self.level = 0.0
        self.seconds = 0.0
        self._emotions = emotions
        self._source = source
        self._model = model
        self._segments: list[Segment] = []
        self._shown = dict.fromkeys(emotions, 0.0)
        self._over: Answer | None = None

    def hear(self, segment: "Segment") -> None:
        """Show another segment."""
        self._segments.append(segment)

    def end(self, answer: Answer) -> None:
        """Show the answer for the whole, and that it is over."""
        self._over = answer

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """One frame."""
        width = max(10, min(options.max_width, 90) - _LABEL - _PERCENT - 4)
        yield self._head()
        yield Text()
        yield self._bars(width)
        yield Text()
        yield from self._timeline(_LABEL + _PERCENT + width + 2)

    def _head(self) -> Text:
        head = Text("■ " if self._over else "● ", "bright_black" if self._over else "red")
        head.append(self._source, "bold")
        head.append(f"   {self.seconds:5.1f} s   {self._model}   ", "bright_black")
        if not self._over:
            head.append(bar(self.level, 12, "green"))
        return head

    def _bars(self, width: int) -> Table:
        heard = self._over.probabilities if self._over else self._last()
        scores = {each.label: each.score for each in heard}
        likeliest = max(scores, key=scores.__getitem__, default=None)
        grid = Table.grid(padding=(0, 1))
        for emotion in self._emotions:
            target = scores.get(emotion, 0.0)
            step = 1.0 if self._over else _EASE
            self._shown[emotion] += step * (target - self._shown[emotion])
            share, style = self._shown[emotion], colour(emotion)
            strong = " bold" if emotion == likeliest else ""
            grid.add_row(
                Text(emotion.rjust(_LABEL), style + strong),
                bar(share, width, style),
                Text(f"{share:.1%}".rjust(_PERCENT), strong.strip()),
            )
        return grid

    def _last(self) -> "Sequence[Emotion]":
        return (self._segments[-1].probabilities or ()) if self._segments else ()

    def _timeline(self, width: int) -> RenderResult:
        """A block for each segment, the last ones if there are too many, and what they stand for."""
        cells = 2 if 2 * len(self._segments) <= width else 1
        shown = self._segments[-width // cells :]
        strip = Text()
        for segment in shown:
            strip.append(("▇" if segment.label else "·") * cells, colour(segment.label))
        yield strip
        if shown:
            begin, end = f"{shown[0].end:.1f} s", f"{shown[-1].end:.1f} s"
            gap = " " * max(1, cells * len(shown) - len(begin) - len(end))
            yield Text(begin + gap + end, "bright_black")
        if self._over is None:
            reason = self._segments[-1].reason if self._segments else None
            yield Text(f"({reason})" if reason else "Ctrl-C ends", "bright_black")
            return
        label, score = self._over.sentiment
        yield (
            Text("\nthe whole: ")
            .append(
                f"{self._over.label} {self._over.score:.1%}", f"bold {colour(self._over.label)}"
            )
            .append(f", {label} {score:.1%}")
        )
