"""How emotions look in a terminal."""

from collections.abc import Mapping
from typing import Final

from rich.text import Text

COLOURS: Final[Mapping[str, str]] = {
    "neutral": "#8b93a5",
    "calm": "#2aa1b3",
    "happy": "#d69a1d",
    "sad": "#6479dd",
    "angry": "#dd5b3f",
    "fearful": "#a078dc",
    "disgust": "#5a9b45",
    "surprised": "#c9628c",
}
"""Of a lightness that stands out from a dark ground and from a light one."""

_EIGHTHS: Final = " ▏▎▍▌▋▊▉"


def colour(emotion: str | None) -> str:
    """The colour of an emotion; grey for none, and for one that has none of its own."""
    return COLOURS.get(emotion or "", "bright_black")


def bar(share: float, width: int, style: str) -> Text:
    """A bar of ``share`` of ``width`` characters, to an eighth of one."""
    eighths = round(share * width * 8)
    full, rest = divmod(eighths, 8)
    drawn = "█" * full + (_EIGHTHS[rest] if rest else "")
    return Text(drawn, style) + Text("·" * (width - len(drawn)), "bright_black")
