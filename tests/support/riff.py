"""WAV files put together chunk by chunk, so that each may be wrong in its own way."""

import struct

PCM_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")


def chunk(name: bytes, body: bytes, length: int | None = None) -> bytes:
    """A chunk, padded to an even length, which may lie about its length."""
    announced = len(body) if length is None else length
    return name + struct.pack("<I", announced) + body + bytes(len(body) % 2)


def fmt(
    tag: int = 1,
    channels: int = 1,
    sample_rate: int = 16_000,
    bits: int = 16,
    block_align: int | None = None,
    extension: bytes = b"",
    byte_rate: int | None = None,
) -> bytes:
    """A fmt chunk; what is left out agrees with the rest."""
    align = channels * bits // 8 & 0xFFFF if block_align is None else block_align
    rate = sample_rate * align & 0xFFFF_FFFF if byte_rate is None else byte_rate
    head = struct.pack("<HHIIHH", tag, channels, sample_rate, rate, align, bits)
    return chunk(b"fmt ", head + extension)


def extension(valid_bits: int, guid: bytes, size: int = 22) -> bytes:
    """What makes a fmt chunk EXTENSIBLE."""
    return struct.pack("<HHI", size, valid_bits, 0) + guid


def riff(*chunks: bytes, length: int | None = None) -> bytes:
    """A whole file of these chunks."""
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if length is None else length) + body
