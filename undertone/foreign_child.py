"""The process in which libsndfile runs, so that a file that hangs or crashes it harms nobody.

`undertone.foreign` starts it by path, not as a module: importing the package is what it must not
do. A message is the length of a JSON object (4 bytes, little-endian), then that; in an answer
``n_bytes`` of float32 frames follow.
"""

import json
import struct
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO

import soundfile


def send(stream: BinaryIO, message: Mapping[str, Any]) -> None:
    """Write one JSON object, its length first."""
    body = json.dumps(message).encode()
    stream.write(struct.pack("<I", len(body)) + body)


def receive(stream: BinaryIO) -> dict[str, Any] | None:
    """Read one JSON object, or None at the end of the stream."""
    prefix = stream.read(4)
    if len(prefix) < 4:
        return None
    (length,) = struct.unpack("<I", prefix)
    body = stream.read(length)
    return json.loads(body) if len(body) == length else None


def decode(request: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """Header and float32 frames of the file at ``request["path"]``.

    Refusing is up to the other side; what it will refuse for its header alone, has no frames read.
    """
    try:
        with soundfile.SoundFile(request["path"]) as sound:
            taken = (
                sound.frames <= request["max_duration_s"] * sound.samplerate
                and sound.samplerate <= request["max_sr"]
                and sound.channels <= request["max_channels"]
            )
            frames = sound.buffer_read(sound.frames if taken else 0, dtype="float32")
            header = {
                "sample_rate": sound.samplerate,
                "channels": sound.channels,
                "n_frames": sound.frames,
                "encoding": f"{sound.format}_{sound.subtype}".lower(),
                "n_bytes": len(frames),
            }
            return header, frames
    except soundfile.LibsndfileError as error:
        return {"error": error.error_string, "code": error.code}, b""


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more."""
    while (request := receive(requests)) is not None:
        header, frames = decode(request)
        send(answers, header)
        answers.write(frames)
        answers.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
