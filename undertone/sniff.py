"""What a file looks like from its first bytes, so that a refusal can name it."""

from codecs import getincrementaldecoder
from typing import Final

_MAGIC: Final = (
    (0, b"RIFX", "RIFX (big-endian WAV)"),
    (0, b"RF64", "RF64 (64-bit WAV)"),
    (0, b"BW64", "BW64 (64-bit WAV)"),
    (0, b"riff\x2e\x91\xcf\x11", "Wave64"),
    (8, b"AVI ", "AVI video"),
    (8, b"WEBP", "WebP image"),
    (8, b"AIFF", "AIFF"),
    (8, b"AIFC", "AIFF"),
    (0, b"fLaC", "FLAC"),
    (0, b"OggS", "Ogg"),
    (0, b"ID3", "MP3"),
    (0, b"caff", "Core Audio Format"),
    (0, b".snd", "Sun AU"),
    (0, b"#!AMR", "AMR"),
    (0, b"\x30\x26\xb2\x75", "WMA"),
    (4, b"ftyp", "MP4 (M4A)"),
    (0, b"\x1a\x45\xdf\xa3", "WebM or Matroska"),
    (0, b"\x89PNG", "PNG image"),
    (0, b"\xff\xd8\xff", "JPEG image"),
    (0, b"GIF8", "GIF image"),
    (0, b"%PDF", "PDF"),
    (0, b"PK\x03\x04", "ZIP archive"),
    (0, b"\x1f\x8b", "gzip archive"),
)


def looks_like(head: bytes) -> str | None:
    """The name of what begins with ``head`` (16 bytes are enough, 256 better), or None.

    >>> looks_like(b"fLaC" + bytes(12)), looks_like(b"Dear service, ..."), looks_like(bytes(16))
    ('FLAC', 'text', None)
    """
    for offset, magic, name in _MAGIC:
        if head.startswith(magic, offset):
            return name
    # An MPEG frame has no magic but eleven set bits; the two after the version name the layer.
    if len(head) >= 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        layer = head[1] >> 1 & 3
        if layer == 1:
            return "MP3"
        if layer == 0 and head[1] & 0xF0 == 0xF0:
            return "AAC"
    return "text" if _is_text(head) else None


def _is_text(head: bytes) -> bool:
    try:
        text = getincrementaldecoder("utf-8")().decode(head)  # may end inside a character
    except UnicodeDecodeError:
        return False
    return text != "" and all(letter >= " " or letter in "\t\n\r" for letter in text)
