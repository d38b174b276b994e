import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.riff import PCM_GUID_TAIL, chunk, extension, fmt, riff
from undertone import audio, pcm, wav
from undertone.errors import (
    AudioError,
    AudioTooLarge,
    AudioTooLong,
    MalformedAudio,
    UnsupportedAudio,
)
from undertone.limits import Limits

SUBTYPES = {
    "PCM_U8": "pcm_u8",
    "PCM_16": "pcm_s16",
    "PCM_24": "pcm_s24",
    "PCM_32": "pcm_s32",
    "FLOAT": "float32",
    "DOUBLE": "float64",
    "ULAW": "mulaw",
    "ALAW": "alaw",
}


def noise(n_frames: int, channels: int = 1, level: float = 0.3) -> np.ndarray:
    signal = np.random.default_rng(7).normal(scale=level, size=(n_frames, channels))
    return signal.clip(-1, 1)


SOUND = np.arange(-800, 800, dtype="<i2").tobytes()
DATA = chunk(b"data", SOUND)


def values(data: bytes) -> np.ndarray:
    return wav.samples(data, wav.parse(data))


def codes(data: bytes) -> list[str]:
    return [notice.code for notice in wav.parse(data).warnings]


@pytest.mark.parametrize("container", ["WAV", "WAVEX"])
@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("subtype", SUBTYPES)
def test_every_encoding_reads_as_libsndfile_reads_it(container, channels, subtype):
    file = io.BytesIO()
    soundfile.write(file, noise(1001, channels), 22_050, subtype=subtype, format=container)
    data = file.getvalue()
    expected, _ = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)

    info = wav.parse(data)

    assert (info.encoding, info.sample_rate, info.channels) == (SUBTYPES[subtype], 22_050, channels)
    assert (info.n_frames, info.duration_s, info.warnings) == (1001, 1001 / 22_050, ())
    decoded = wav.samples(data, info)
    assert decoded.dtype == np.float32
    np.testing.assert_array_equal(decoded, expected)


@pytest.mark.recordings
def test_real_recordings_read_as_libsndfile_reads_them(recordings: Path):
    paths = sorted((recordings / "originals").glob("*/*.wav"))
    assert paths
    for path in paths:
        data = path.read_bytes()
        expected, sample_rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
        info = wav.parse(data)
        assert (info.sample_rate, info.warnings) == (sample_rate, ()), path.name
        np.testing.assert_array_equal(wav.samples(data, info), expected, err_msg=path.name)


@pytest.mark.parametrize(
    ("encoding", "code", "value"),
    [
        ("mulaw", 0xFF, 0),
        ("mulaw", 0xFE, 8),
        ("mulaw", 0x80, 32_124),
        ("mulaw", 0x00, -32_124),
        ("alaw", 0xD5, 8),
        ("alaw", 0x55, -8),
        ("alaw", 0xAA, 32_256),
        ("alaw", 0x2A, -32_256),
        ("pcm_u8", 0, -32_768),
        ("pcm_u8", 128, 0),
        ("pcm_u8", 255, 32_512),
    ],
)
def test_the_meaning_of_single_bytes(encoding, code, value):
    assert pcm.to_float(np.array([code], np.uint8), encoding)[0] * 32_768 == value


@pytest.mark.parametrize("encoding", pcm.ENCODINGS)
def test_what_is_written_is_read_again_by_us_and_by_libsndfile(encoding):
    signal = noise(501, 3)
    data = wav.encode(signal, 8_000, encoding)
    step = {"pcm_u8": 2**-7, "mulaw": 2**-5, "alaw": 2**-5}.get(encoding, 2**-15)

    decoded = values(data)

    np.testing.assert_allclose(decoded, signal, atol=step)
    np.testing.assert_array_equal(values(wav.encode(decoded, 8_000, encoding)), decoded)
    expected, sample_rate = soundfile.read(io.BytesIO(data), dtype="float32")
    np.testing.assert_array_equal(decoded, expected)
    assert sample_rate == 8_000


@pytest.mark.parametrize("encoding", [name for name in pcm.ENCODINGS if "float" not in name])
def test_writing_clips_beyond_full_scale(encoding):
    decoded = values(wav.encode(np.array([-9.0, 0.0, 9.0]), 8_000, encoding))[:, 0]
    assert -1 <= decoded[0] < -0.98
    assert abs(decoded[1]) < 0.001
    assert 0.98 < decoded[2] <= 1


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([fmt(), DATA], id="plain"),
        pytest.param([chunk(b"bext", b"x" * 602), fmt(), DATA], id="before fmt"),
        pytest.param([fmt(), chunk(b"FLLR", bytes(4044)), DATA], id="filler before data"),
        pytest.param([fmt(), chunk(b"LIST", b"odd"), DATA], id="odd length"),
        pytest.param([fmt(), chunk(b"junk", b""), DATA], id="empty chunk"),
        pytest.param([fmt(), DATA, chunk(b"LIST", b"INFO")], id="after data"),
        pytest.param([DATA, fmt()], id="data before fmt"),
        pytest.param([fmt(), DATA, fmt(channels=7), chunk(b"data", b"xx")], id="first ones count"),
        pytest.param([fmt(extension=bytes(2)), DATA], id="18-byte fmt"),
    ],
)
def test_chunks_may_come_in_any_order_and_company(chunks):
    data = riff(*chunks)
    assert codes(data) == []
    np.testing.assert_array_equal(values(data)[:, 0] * 32_768, np.arange(-800, 800))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_kind_of_bytes_will_do(kind):
    data = kind(riff(fmt(), DATA))
    assert wav.samples(data, wav.parse(data)).shape == (1600, 1)


def test_24_bits_in_32_are_read_as_the_upper_ones():
    guid = b"\x01\x00" + PCM_GUID_TAIL
    body = np.array([-(2**31), 0, 2**30], "<i4").tobytes()
    data = riff(fmt(0xFFFE, bits=32, extension=extension(24, guid)), chunk(b"data", body))
    assert wav.parse(data).encoding == "pcm_s32"
    assert values(data)[:, 0].tolist() == [-1.0, 0.0, 0.5]


@pytest.mark.parametrize(
    ("announced", "outer"),
    [
        (0, 0),
        (0, 36),
        (0, 0xFFFF_FFFF),
        (0x7FFF_FFFF, 0x7FFF_FFFF),
        (0xFFFF_FFFF, 0xFFFF_FFFF),
        (0xFFFF_FFFF, 0),
        (len(SOUND) + 1, None),
    ],
)
def test_a_streamed_or_cut_file_is_read_to_its_end(announced, outer):
    data = riff(fmt(), chunk(b"data", SOUND, announced), length=outer)
    assert codes(data) == ["data_length_clamped"]
    assert wav.parse(data).n_frames == 1600


def test_an_honestly_empty_data_chunk_stays_empty():
    data = riff(fmt(), chunk(b"data", b""), chunk(b"LIST", bytes(400)))
    assert (wav.parse(data).n_frames, codes(data)) == (0, [])
    assert values(data).shape == (0, 1)
    assert values(riff(fmt(), chunk(b"data", b""))).shape == (0, 1)


def test_half_a_frame_at_the_end_is_left_out():
    data = riff(fmt(channels=2), chunk(b"data", SOUND + b"\x01\x02\x03"))
    assert codes(data) == ["truncated_frame"]
    assert values(data).shape == (800, 2)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"RIFX" + bytes(4) + b"WAVE", "RIFX"),
        (b"RF64\xff\xff\xff\xffWAVE", "RF64"),
        (b"BW64\xff\xff\xff\xffWAVE", "BW64"),
        (b"RIFF" + bytes(4) + b"AVI LIST", "AVI"),
        (b"RIFF" + bytes(4) + b"WEBPVP8 ", "WebP"),
        (b"\x89PNG\r\n\x1a\n" + bytes(8), "PNG"),
        (b"\xff\xd8\xff\xe0" + bytes(12), "JPEG"),
        (b"ID3\x04" + bytes(12), "MP3"),
        (b"\xff\xfb\x90\x64" + bytes(12), "MP3"),
        (b"\xff\xf1\x50\x80" + bytes(12), "AAC"),
        (b"fLaC" + bytes(12), "FLAC"),
        (b"OggS" + bytes(12), "Ogg"),
        (b"\x1a\x45\xdf\xa3" + bytes(12), "WebM"),
        (bytes(4) + b"ftypM4A ", "M4A"),
        (b"PK\x03\x04" + bytes(12), "ZIP"),
        (b"FORM" + bytes(4) + b"AIFF", "AIFF"),
        (b"%PDF-1.7\n", "PDF"),
        (b"I am no sound.\n", "text"),
        ("Ich wäre gern Ton".encode(), "text"),
        (bytes(64), "not begin with RIFF"),
        (b"XXXX\x00\x00\x00\x00WAVE", "not begin with RIFF"),
        (b"\xff\xfe", "not begin with RIFF"),
    ],
)
def test_what_is_no_wav_is_refused_by_name(data, name):
    with pytest.raises(UnsupportedAudio, match=name) as error:
        wav.parse(data)
    assert error.value.allowed == {"container": ["WAV"]}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"R", "cut off"),
        (b"RIFF\x00\x00\x00\x00WAV", "cut off"),
        (riff(), "no fmt chunk"),
        (riff(*[chunk(b"junk", b"")] * 1_100, fmt(), DATA), "only so many of its chunks"),
        (riff(fmt())[:-5], "fmt chunk of the WAV file has|no data chunk"),
        (riff(fmt()), "no data chunk"),
        (riff(DATA), "no fmt chunk"),
        (riff(chunk(b"data", SOUND, 0xFFFF_FFFF), fmt()), "no fmt chunk"),
        (riff(chunk(b"fmt ", bytes(14)), DATA), "14 bytes"),
        (riff(fmt(0xFFFE), DATA), "extensible"),
        (riff(fmt(channels=2, block_align=2), DATA), "contradicts"),
        (riff(fmt(bits=24, block_align=4), DATA), "contradicts"),
        (riff(fmt(block_align=0), DATA), "contradicts"),
        (riff(fmt(), *[chunk(b"junk", b"")] * wav.MAX_CHUNKS, DATA), "no data chunk"),
    ],
)
def test_what_breaks_the_rules_is_malformed(data, reason):
    with pytest.raises(MalformedAudio, match=reason):
        wav.parse(data)


@pytest.mark.parametrize("length", range(1, 46))
def test_a_header_that_is_cut_anywhere_is_malformed(length):
    whole = riff(fmt(), DATA)
    if length < 44:
        with pytest.raises(MalformedAudio):
            wav.parse(whole[:length])
    else:
        assert codes(whole[:length])[0] == "data_length_clamped"


@pytest.mark.parametrize(
    ("header", "received"),
    [
        (fmt(sample_rate=0), {"sample_rate": 0}),
        (fmt(sample_rate=3_999), {"sample_rate": 3_999}),
        (fmt(sample_rate=192_001), {"sample_rate": 192_001}),
        (fmt(channels=0), {"channels": 0}),
        (fmt(channels=9), {"channels": 9}),
        (fmt(bits=0), {"format": "0x0001", "bits": 0}),
        (fmt(bits=12, block_align=2), {"format": "0x0001", "bits": 12}),
        (fmt(tag=2, bits=4), {"format": "0x0002", "bits": 4}),
        (fmt(tag=0xFFFE, extension=extension(16, bytes(16))), {"format": "0xfffe", "bits": 16}),
    ],
)
def test_what_is_not_taken_is_refused_with_what_is(header, received):
    with pytest.raises(UnsupportedAudio) as error:
        wav.parse(riff(header, DATA))
    assert error.value.received == received
    assert error.value.allowed


def test_limits_hold_before_any_sample_is_touched():
    data = riff(fmt(), DATA)  # 3244 bytes, 0.1 s
    assert wav.parse(data, Limits(max_bytes=len(data), max_duration_s=0.1)).duration_s == 0.1
    with pytest.raises(AudioTooLarge) as large:
        wav.parse(data, Limits(max_bytes=len(data) - 1))
    assert not isinstance(large.value, AudioTooLong)
    assert large.value.received == {"bytes": len(data)}
    with pytest.raises(AudioTooLong) as long:
        wav.parse(data, Limits(max_duration_s=0.05))
    assert (long.value.received, long.value.allowed) == (
        {"duration_s": 0.1},
        {"max_duration_s": 0.05},
    )


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    encoding = draw(st.sampled_from(pcm.ENCODINGS))
    signal = noise(draw(st.integers(0, 900)), draw(st.integers(1, 3)))
    data = bytearray(wav.encode(signal, 8_000, encoding))
    for _ in range(draw(st.integers(0, 8))):
        # Mostly in the header, where it matters.
        position = draw(st.integers(0, min(60, len(data) - 1)) | st.integers(0, len(data) - 1))
        data[position] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
    cut = draw(st.none() | st.integers(0, len(data)))
    return bytes(data[:cut]) + draw(st.binary(max_size=9))


@given(damaged() | st.binary(max_size=80).map(lambda tail: b"RIFF\x50\x00\x00\x00WAVE" + tail))
@settings(max_examples=400)
def test_damage_raises_nothing_but_audio_errors(data):
    try:
        info = wav.parse(data)
        decoded = wav.samples(data, info)
    except AudioError:
        pass
    else:
        assert decoded.shape == (info.n_frames, info.channels)
        assert info.data_offset + info.data_length <= len(data)
    try:
        sound = audio.decode(data, 16_000)
    except AudioError:
        pass
    else:
        assert np.isfinite(sound.samples).all()
