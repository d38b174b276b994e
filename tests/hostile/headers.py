"""WAV files whose chunks are cut, out of order, missing, too many, or say what is not so."""

import numpy as np

from tests.hostile.upload import (
    DATA,
    PCM,
    PLAIN,
    VOICE,
    Upload,
    as_read,
    file_of,
    heard,
    malformed,
    unsupported,
    unusable,
    voice_wav,
)
from tests.support.riff import PCM_GUID_TAIL, chunk, extension, fmt, riff
from undertone import wav

_GUID = b"\x01\0" + PCM_GUID_TAIL
_EMPTY = chunk(b"junk", b"")
_ODD = chunk(b"LIST", b"odd")
_LEFT_ALIGNED = (np.rint(VOICE * 2**15).astype("<i4") << 16).tobytes()

_CUT: dict[str, Upload] = {
    f"cut after {length} bytes": (
        malformed(PLAIN[:length]) if length < 44 else unusable(PLAIN[:length], "too_short")
    )
    for length in range(1, 65)
}

_ORDER: dict[str, Upload] = {
    "plain": heard(PLAIN),
    "data before fmt": heard(riff(DATA, fmt())),
    "bext first": heard(riff(chunk(b"bext", bytes(602)), fmt(), DATA)),
    "FLLR before data": heard(riff(fmt(), chunk(b"FLLR", bytes(4_044)), DATA)),
    "LIST of odd length": heard(riff(fmt(), _ODD, DATA)),
    "LIST after data": heard(riff(fmt(), DATA, chunk(b"LIST", b"INFO"))),
    "garbage after data": heard(riff(fmt(), DATA) + b"\xff" * 333),
    "a chunk cut off after data": heard(riff(fmt(), DATA, chunk(b"LIST", b"I", 1 << 20))),
    "a name that is no name": heard(riff(fmt(), chunk(b"\0\xff\n ", b"??"), DATA)),
    "a second fmt after all": heard(riff(fmt(), DATA, fmt(channels=7))),
    "a second fmt before data": heard(riff(fmt(), fmt(channels=7), DATA)),
    "a second data": heard(riff(fmt(), DATA, chunk(b"data", PCM[::-1]))),
    "a WAV inside of a WAV": heard(riff(fmt(), chunk(b"wavl", PLAIN), DATA)),
    "1022 chunks": heard(riff(fmt(), *[_EMPTY] * 1_022, DATA)),
    "2000 chunks": malformed(riff(fmt(), *[_EMPTY] * 2_000, DATA)),
    "chunks without an end": malformed(riff(fmt(), *[_EMPTY] * 200_000)),
    "a chunk that wraps around to itself": malformed(
        riff(fmt(), chunk(b"loop", b"", 0xFFFF_FFF8), DATA)
    ),
    "a chunk that reaches beyond the end": malformed(riff(fmt(), chunk(b"junk", b"", 1 << 30))),
    "a chunk that swallows data": malformed(riff(fmt(), chunk(b"junk", b"", len(DATA)), DATA)),
    "an odd chunk without its padding": malformed(riff(fmt(), _ODD[:-1], DATA)),
    "no fmt": malformed(riff(DATA)),
    "no data": malformed(riff(fmt())),
    "no chunk at all": malformed(riff()),
    "data of unknown length before fmt": malformed(riff(chunk(b"data", PCM, 0xFFFF_FFFF), fmt())),
    "fmt in capitals": malformed(riff(b"FMT " + fmt()[4:], DATA)),
    "data in capitals": malformed(riff(fmt(), b"DATA" + DATA[4:])),
}

_LENGTHS: dict[str, Upload] = {
    **{
        f"RIFF says {length:#x} bytes": heard(riff(fmt(), DATA, length=length))
        for length in (0, 1, 36, 0x7FFF_FFFF, 0xFFFF_FFFF)
    },
    **{
        f"data says {length:#x} bytes": heard(
            riff(fmt(), chunk(b"data", PCM, length), length=0), "data_length_clamped"
        )
        for length in (0, len(PCM) + 2, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF)
    },
    "data says less than there is": heard(riff(fmt(), chunk(b"data", PCM + bytes(900), len(PCM)))),
    "data says half": heard(riff(fmt(), chunk(b"data", PCM, len(PCM) // 2)), within=None),
    "data says an odd length": heard(
        riff(fmt(), chunk(b"data", PCM + b"\x01", len(PCM) + 1)), "truncated_frame"
    ),
    "cut inside of a sample": heard(
        PLAIN[:-1], "data_length_clamped", "truncated_frame", within=0.05
    ),
    "cut in the middle": heard(PLAIN[:-20_000], "data_length_clamped", within=None),
    "honestly empty": unusable(riff(fmt(), chunk(b"data", b"")), "too_short"),
    "empty, and a chunk after it": unusable(
        riff(fmt(), chunk(b"data", b""), chunk(b"LIST", PCM)), "too_short"
    ),
    "half a sample": unusable(riff(fmt(), chunk(b"data", b"\x01")), "too_short"),
    "one sample": unusable(riff(fmt(), chunk(b"data", b"\x01\x02")), "too_short"),
}

_FORMATS: dict[str, Upload] = {
    **{
        f"fmt of {length} bytes": malformed(riff(chunk(b"fmt ", fmt()[8:][:length]), DATA))
        for length in (0, 1, 2, 8, 14, 15)
    },
    "fmt of 17 bytes": heard(file_of(fmt(extension=b"\0"))),
    "fmt of 18 bytes": heard(file_of(fmt(extension=bytes(2)))),
    "fmt of 1000 bytes": heard(file_of(fmt(extension=bytes(984)))),
    "fmt that says 4 GB": malformed(riff(b"fmt \xff\xff\xff\xff" + fmt()[8:], DATA)),
    "fmt that says too little": malformed(riff(b"fmt \x0e\0\0\0" + fmt()[8:], DATA)),
    "extensible": heard(file_of(fmt(0xFFFE, extension=extension(16, _GUID)))),
    "extensible, no valid bits said": heard(file_of(fmt(0xFFFE, extension=extension(0, _GUID)))),
    "extensible, more valid bits than bits": heard(
        file_of(fmt(0xFFFE, extension=extension(99, _GUID)))
    ),
    "extensible that lies about its size": heard(
        file_of(fmt(0xFFFE, extension=extension(16, _GUID, size=0)))
    ),
    "extensible, 16 bits in 32": heard(
        riff(fmt(0xFFFE, bits=32, extension=extension(16, _GUID)), chunk(b"data", _LEFT_ALIGNED))
    ),
    "extensible, cut": malformed(file_of(fmt(0xFFFE, extension=extension(16, _GUID)[:-1]))),
    "extensible, and nothing else": malformed(file_of(fmt(0xFFFE))),
    "extensible of an unknown kind": unsupported(file_of(fmt(0xFFFE, extension=bytes(24)))),
    "extensible of extensible": unsupported(
        file_of(fmt(0xFFFE, extension=extension(16, b"\xfe\xff" + PCM_GUID_TAIL)))
    ),
    "extensible MP3": unsupported(
        file_of(fmt(0xFFFE, extension=extension(16, b"\x55\0" + PCM_GUID_TAIL)))
    ),
    **{
        f"block align {align}": malformed(file_of(fmt(block_align=align)))
        for align in (0, 1, 3, 4, 0xFFFF)
    },
    "block align 0 in stereo": malformed(file_of(fmt(channels=2, block_align=0))),
    **{f"byte rate {rate}": heard(file_of(fmt(byte_rate=rate))) for rate in (0, 1, 0xFFFF_FFFF)},
    **{
        f"format {tag:#x} of {bits} bits": unsupported(file_of(fmt(tag, bits=bits)))
        for tag, bits in (
            *((0, 16), (2, 4), (3, 16), (3, 24), (6, 16), (7, 16), (0x11, 4), (0x31, 0)),
            *((0x50, 0), (0x55, 0), (0xFF, 16), (0x2000, 0), (0xFFFF, 16), (0x100, 16)),
        )
    },
    **{
        f"PCM of {bits} bits": unsupported(file_of(fmt(bits=bits, block_align=2)))
        for bits in (0, 1, 4, 12, 15, 17, 20, 33, 64, 65_535)
    },
    **{
        f"{rate} Hz": unsupported(file_of(fmt(sample_rate=rate)))
        for rate in (0, 1, 3_999, 192_001, 1_000_000, 4_000_000_000, 0xFFFF_FFFF)
    },
    **{
        f"{channels} channels": unsupported(file_of(fmt(channels=channels, block_align=2)))
        for channels in (0, 9, 255, 32_768, 65_535)
    },
    "65 535 channels, consistently": unsupported(file_of(fmt(channels=65_535, bits=8))),
}

_RIGHT: dict[str, Upload] = {
    **{
        f"the voice as {encoding}": heard(voice_wav(encoding), within=0.01)
        for encoding in ("pcm_s24", "pcm_s32", "float32", "float64")
    },
    **{
        # Eight bits are noise, which this voice has none of: it is another sound, and somebody else reads it.
        f"the voice as {encoding}": heard(coded := voice_wav(encoding), like=as_read(coded))
        for encoding in ("pcm_u8", "mulaw", "alaw")
    },
    **{
        f"the voice in {channels} channels": heard(voice_wav("pcm_s16", channels))
        for channels in (2, 3, 8)
    },
    "played at 4 kHz": heard(wav.encode(VOICE, 4_000), within=None),
    "played at 12 001 Hz": heard(wav.encode(VOICE, 12_001), within=None),
    "3 s at 192 kHz": heard(
        wav.encode(
            np.interp(np.arange(12 * VOICE.size) / 12, np.arange(VOICE.size), VOICE), 192_000
        ),
        within=0.2,
    ),
}

_TOO_MUCH: dict[str, Upload] = {
    "601 s at the lowest rate": Upload(
        riff(fmt(7, sample_rate=4_000, bits=8), chunk(b"data", b"\x00\x80" * (601 * 2_000))),
        413,
        "audio_too_long",
    ),
    "a rate forged to make it last": Upload(
        riff(fmt(7, sample_rate=4_000, bits=8), chunk(b"data", bytes(20_000_000))),
        413,
        "audio_too_long",
    ),
    "more bytes than are taken": Upload(
        PLAIN + bytes(25 * 1024 * 1024 - len(PLAIN) + 1), 413, "audio_too_large"
    ),
    "as many bytes as are taken": heard(PLAIN + bytes(25 * 1024 * 1024 - len(PLAIN))),
}

UPLOADS: dict[str, Upload] = {**_CUT, **_ORDER, **_LENGTHS, **_FORMATS, **_RIGHT, **_TOO_MUCH}
