"""What came of a body and was not handed on yet."""

from typing import Final, Self

READ_ON: Final = 1024 * 1024
"""Bytes of a body that are read on for before any of it is handed on; a clip of a few seconds has less."""

FEW: Final = 8
"""Pieces in which they may come; one is as much as was there when it was looked for, up to 256 KiB."""


class Pieces:
    """A body in place of uvicorn's, which is copied with every piece: put together once it is handed on."""

    def __init__(self) -> None:
        self._first: list[bytes] = []
        self._others = (
            bytearray()
        )  # of which there may be so many that a list takes more than they do

    def __len__(self) -> int:
        return sum(map(len, self._first)) + len(self._others)

    def __iadd__(self, piece: bytes) -> Self:
        if len(self._first) < FEW:
            self._first.append(piece)
        else:
            self._others += piece
        return self

    def __bytes__(self) -> bytes:
        return self._first[0] if len(self._first) == 1 else b"".join((*self._first, self._others))

    def leave_room(self) -> bool:
        """Whether the next is to be read before these are handed on."""
        return len(self._first) < FEW and len(self) < READ_ON
