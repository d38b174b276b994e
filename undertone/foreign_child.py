"""The process in which libsndfile runs, so that a file that hangs or crashes it harms nobody.

`undertone.foreign` starts it by path, not as a module: importing the package is what it must not
do. A message is the length of a JSON object (4 bytes, little-endian), then that; ``n_bytes`` follow: of
the file in a request, of float32 frames in an answer.
"""

import io
import json
import mmap
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


def decode(request: Mapping[str, Any], data: bytes) -> tuple[dict[str, Any], Any]:
    """Header and float32 frames of the file that ``data`` is.

    Refusing is up to the other side; what it will refuse for its header alone, has no frames read.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as sound:
            frames, n_frames = _frames(sound, request)
            width = 4 * sound.channels
            header = {
                "sample_rate": sound.samplerate,
                "channels": sound.channels,
                "n_frames": sound.frames,
                "encoding": f"{sound.format}_{sound.subtype}".lower(),
                "n_bytes": n_frames * width,
            }
            return header, memoryview(frames)[: n_frames * width]
    except soundfile.LibsndfileError as error:
        return {"error": error.error_string, "code": error.code}, b""
    except Exception as error:  # not foreseen, and still the file's doing
        return {"error": f"it is damaged ({type(error).__name__})", "code": None}, b""


def _frames(sound: soundfile.SoundFile, request: Mapping[str, Any]) -> tuple[Any, int]:
    """Room with float32 frames in it, and how many of them there were."""
    n_wanted, n_allowed = sound.frames, int(request["max_duration_s"] * sound.samplerate)
    if request["is_guessed"]:
        n_wanted = min(n_wanted, n_allowed + 1)  # with the one more that tells that it is too long
    elif n_wanted > n_allowed:
        n_wanted = 0
    taken = sound.samplerate <= request["max_sr"] and sound.channels <= request["max_channels"]
    if not (taken and n_wanted):
        return b"", 0
    # Pages that nothing is written into take no memory: what a header claims costs nothing.
    room = mmap.mmap(-1, n_wanted * sound.channels * 4)
    return room, sound.buffer_read_into(room, dtype="float32")


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more."""
    while (request := receive(requests)) is not None:
        data = requests.read(request["n_bytes"])
        if len(data) < request["n_bytes"]:
            break
        header, frames = decode(request, data)
        send(answers, header)
        answers.write(frames)
        answers.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
