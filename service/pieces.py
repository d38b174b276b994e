"""What came of a body and was not handed on yet."""

from typing import Final

READ_ON: Final = 1024 * 1024
"""Bytes of a body that are read on for before any of it is handed on; a clip of a few seconds has less."""

FEW: Final = 8
"""Pieces in which they may come. One is as much as the loop reads at a time (uvloop: 250 KiB), or a chunk."""


class Pieces:
    """A body in place of uvicorn's, which is copied with every piece: put together once it is handed on."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._n_bytes = 0

    def __len__(self) -> int:
        return self._n_bytes

    def __iadd__(self, piece: bytes) -> "Pieces | bytearray":
        """These and ``piece``. Where there are many, as uvicorn has them: of small ones, that costs less."""
        if len(self._pieces) == FEW:
            return bytearray().join((*self._pieces, piece))
        self._pieces.append(piece)
        self._n_bytes += len(piece)
        return self

    def __bytes__(self) -> bytes:
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)

    def leave_room(self) -> bool:
        """Whether the next is to be read before these are handed on."""
        return len(self._pieces) < FEW and self._n_bytes < READ_ON
