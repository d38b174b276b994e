"""The blocks of code in a document."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]


class Block(NamedTuple):
    """A fenced block, with the language that its fence names."""

    document: str
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document}: {self.text.splitlines()[0]}"


def blocks(document: str, *languages: str) -> list[Block]:
    """Those of a document, a path below the root, in order; of some languages, or of all."""
    found = re.findall(
        r"^```(\w*)\n(.*?)^```$", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL
    )
    assert found, document
    return [Block(document, *each) for each in found if not languages or each[0] in languages]
