"""Hostile WAV files, and libsndfile in a process of its own that can be ended."""

import io
import multiprocessing
from multiprocessing.connection import Connection
from typing import Self

import numpy as np
import soundfile
from hypothesis import strategies as st

from tests.support.riff import PCM_GUID_TAIL, chunk, extension, fmt, riff
from undertone import pcm, wav
from undertone.errors import AudioError

SUBTYPES = {
    "pcm_u8": "PCM_U8",
    "pcm_s16": "PCM_16",
    "pcm_s24": "PCM_24",
    "pcm_s32": "PCM_32",
    "float32": "FLOAT",
    "float64": "DOUBLE",
    "mulaw": "ULAW",
    "alaw": "ALAW",
}
TAGS = {"float32": 3, "float64": 3, "alaw": 6, "mulaw": 7}

PATIENCE_S = 5.0


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A WAV file of any encoding, with other chunks around, and then some bytes of it changed."""
    encoding = draw(st.sampled_from(pcm.ENCODINGS))
    channels = draw(st.integers(1, 4))
    bits = 8 * pcm.DTYPE[encoding].itemsize
    tag = TAGS.get(encoding, 1)
    sr = draw(st.sampled_from([4_000, 8_000, 22_050, 192_000]))
    wave = np.random.default_rng(draw(st.integers(0, 9))).uniform(-1, 1, (200, channels))
    body = pcm.from_float(wave, encoding).tobytes()
    if draw(st.booleans()):
        guid = tag.to_bytes(2, "little") + PCM_GUID_TAIL
        header = fmt(0xFFFE, channels, sr, bits, extension=extension(bits, guid))
    else:
        header = fmt(tag, channels, sr, bits)
    others = st.lists(
        st.builds(chunk, st.sampled_from([b"LIST", b"junk", b"FLLR"]), st.binary(max_size=9)),
        max_size=2,
    )
    parts = [*draw(others), header, *draw(others), chunk(b"data", body), *draw(others)]
    data = bytearray(riff(*parts))
    for _ in range(draw(st.integers(0, 3))):
        position = draw(st.integers(0, 90) | st.integers(0, len(data) - 1))
        data[min(position, len(data) - 1)] = draw(st.sampled_from([0, 1, 2, 0x7F, 0x80, 0xFF]))
    return bytes(data[: draw(st.none() | st.integers(0, len(data)))])


class Reference:
    """Reads WAV files as libsndfile does; a file on which it hangs or dies counts as refused."""

    def __init__(self) -> None:
        self.restarts = 0
        """How often it hung or died."""

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def read(self, data: bytes) -> tuple[np.ndarray, int, str] | None:
        """``float32[n, channels]``, the rate in Hz and the subtype; None where it is refused."""
        try:
            self._pipe.send_bytes(data)
            if self._pipe.poll(PATIENCE_S):
                return self._pipe.recv()
        except (EOFError, ConnectionError):
            pass
        self.restarts += 1
        self._stop()
        self._start()
        return None

    def compare(self, data: bytes) -> str:
        """``refused`` (by us), ``refused by libsndfile`` alone, or ``the same``.

        Raises:
            AssertionError: both take it, and for different sounds.
        """
        try:
            info = wav.parse(data)
        except AudioError:
            return "refused"
        ours = wav.samples(data, info)
        read = self.read(data)
        if read is None:
            return "refused by libsndfile"
        theirs, sr, subtype = read
        assert (sr, subtype) == (info.sample_rate, SUBTYPES[info.encoding])
        np.testing.assert_array_equal(ours, theirs)
        return "the same"

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other,), daemon=True)
        self._process.start()
        other.close()
        assert self._pipe.poll(120), "it does not start"
        self._pipe.recv()

    def _stop(self) -> None:
        self._process.kill()
        self._process.join()
        self._process.close()
        self._pipe.close()


def _serve(pipe: Connection) -> None:
    pipe.send("ready")
    while True:
        try:
            data = pipe.recv_bytes()
        except EOFError:
            return
        try:
            with soundfile.SoundFile(io.BytesIO(data)) as file:
                pipe.send((file.read(1 << 16, "float32", True), file.samplerate, file.subtype))
        except (soundfile.LibsndfileError, ValueError, MemoryError):
            pipe.send(None)
