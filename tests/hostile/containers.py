"""Files that are no WAV, whatever they are called; beside each, what the refusal has to name."""

import io
import struct
import zipfile
import zlib

import numpy as np
import soundfile

from tests.hostile.upload import PCM, PLAIN, SR, VOICE, Upload, malformed, unsupported


def _foreign(container: str, subtype: str | None = None, endian: str | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, VOICE, SR, subtype=subtype, endian=endian, format=container)
    return file.getvalue()


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("clip.wav", PLAIN)
    return file.getvalue()


def _gzip() -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(PLAIN) + packer.flush()


_RANDOM = np.random.default_rng(6).bytes(5_000)
_WEBM = bytes.fromhex("1a45dfa39f4286810142f7810142f2810442f381084282847765626d")
_MP4 = struct.pack(">I", 24) + b"ftypisom\0\0\2\0isomiso2"

_NAMED = {
    "WebM of a browser": (_WEBM + _RANDOM, "WebM"),
    "Matroska video": (bytes.fromhex("1a45dfa301000000000000234286810142f7") + _RANDOM, "WebM"),
    "MP4 video": (_MP4 + _RANDOM, "MP4"),
    "M4A of a telephone": (b"\0\0\0\x1cftypM4A \0\0\0\0M4A mp42isom" + _RANDOM, "MP4"),
    "QuickTime": (b"\0\0\0\x14ftypqt  \0\0\0\0qt  " + _RANDOM, "MP4"),
    "MP3 with a tag": (b"ID3\x04\0\0\0\0\x0f\x76" + _RANDOM, "MP3"),
    "MP3 without": (b"\xff\xfb\x90\x64" + _RANDOM, "MP3"),
    "MP3 that soundfile wrote": (_foreign("MP3"), "MP3"),
    "AAC": (b"\xff\xf1\x50\x80" + _RANDOM, "AAC"),
    "FLAC": (_foreign("FLAC"), "FLAC"),
    "Ogg Vorbis": (_foreign("OGG"), "Ogg"),
    "Ogg Opus": (_foreign("OGG", "OPUS"), "Ogg"),
    "AIFF": (_foreign("AIFF"), "AIFF"),
    "AIFF-C": (_foreign("AIFF", "ULAW"), "AIFF"),
    "Sun AU": (_foreign("AU"), "Sun AU"),
    "Core Audio": (_foreign("CAF"), "Core Audio"),
    "Wave64": (_foreign("W64"), "Wave64"),
    "RF64": (_foreign("RF64"), "RF64"),
    "BW64": (b"BW64" + _foreign("RF64")[4:], "BW64"),
    "RIFX, big-endian": (_foreign("WAV", endian="BIG"), "RIFX"),
    "AMR of a telephone": (b"#!AMR\n" + _RANDOM, "AMR"),
    "WMA": (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + _RANDOM, "WMA"),
    "AVI": (b"RIFF\x00\x10\0\0AVI LIST" + _RANDOM, "AVI"),
    "WebP": (b"RIFF\x00\x10\0\0WEBPVP8 " + _RANDOM, "WebP"),
    "PNG": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + _RANDOM, "PNG"),
    "JPEG": (b"\xff\xd8\xff\xe0\0\x10JFIF\0" + _RANDOM, "JPEG"),
    "GIF": (b"GIF89a\x01\0\x01\0" + _RANDOM, "GIF"),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF"),
    "zip with a WAV in it": (_zip(), "ZIP"),
    "gzip of a WAV": (_gzip(), "gzip"),
    "HTML": (b"<!DOCTYPE html><html><body>404</body></html>\n", "text"),
    "XML": ('<?xml version="1.0"?><clip title="Ärger"/>'.encode(), "text"),
    "JSON": (b'{"error": "no such file"}', "text"),
    "base64 of a WAV": (b"UklGRiQAAABXQVZFZm10IBAAAAABAAEA\n", "text"),
    "a pointer of Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "text"),
    "a path": (b"/etc/passwd", "text"),
    "a script": (b"#!/bin/sh\nrm -rf /\n", "text"),
}

_NAMELESS = {
    "random bytes": _RANDOM,
    "zeros": bytes(1_000),
    "one zero": b"\0",
    "all ones": b"\xff" * 1_000,
    "PCM without a header": PCM,
    "an array of numpy": b"\x93NUMPY\x01\0v\0" + _RANDOM,
    "a pickle": b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93",
    "ELF": b"\x7fELF\x02\x01\x01" + _RANDOM,
    "UTF-16 text": "Guten Tag".encode("utf-16"),
    "a RIFF of a kind that there is not": b"RIFF\x24\0\0\0WAVZ" + PLAIN[12:],
    "riff in small letters": b"riff" + PLAIN[4:],
    "WAVE in small letters": PLAIN[:8] + b"wave" + PLAIN[12:],
    "a byte before": b"\0" + PLAIN,
    "a byte-order mark before": b"\xef\xbb\xbf" + PLAIN,
    "newlines made into two bytes": PLAIN.replace(b"F", b"F\r", 1),
    "byte-swapped": np.frombuffer(PLAIN, "<u2").byteswap().tobytes(),
    "XOR 255": bytes(byte ^ 0xFF for byte in PLAIN),
}

NAMES: dict[str, str] = {title: name for title, (_, name) in _NAMED.items()}
"""What the refusal of each calls it."""

UPLOADS: dict[str, Upload] = {
    **{title: unsupported(data) for title, (data, _) in _NAMED.items()},
    **{title: unsupported(data) for title, data in _NAMELESS.items()},
    "nothing": malformed(b""),
    "R": malformed(b"R"),
    "RIFF": malformed(b"RIFF"),
}
