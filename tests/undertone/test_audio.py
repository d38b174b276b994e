from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.pipes import filled
from undertone import audio, pcm, wav
from undertone.errors import (
    AudioTooLarge,
    AudioTooLong,
    AudioTooShort,
    MalformedAudio,
    NoSpeech,
    NotFinite,
    UnsupportedAudio,
)
from undertone.limits import Limits


def tone(frequency: float, sample_rate: int, seconds: float = 0.5, level: float = 0.5):
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    return (level * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


def codes(sound: audio.Audio) -> list[str]:
    return [notice.code for notice in sound.warnings]


def test_the_facts_of_the_source_are_kept():
    sound = audio.decode(wav.encode(np.stack([tone(300, 44_100)] * 2, 1), 44_100), 16_000)
    assert (sound.sr, sound.sample_rate, sound.channels) == (16_000, 44_100, 2)
    assert (sound.encoding, sound.duration_s, sound.warnings) == ("pcm_s16", 0.5, ())
    assert (sound.samples.dtype, sound.samples.shape) == (np.float32, (8_000,))


def test_at_the_model_rate_nothing_is_resampled():
    signal = tone(300, 16_000)
    sound = audio.decode(wav.encode(signal, 16_000, "float32"), 16_000)
    np.testing.assert_array_equal(sound.samples, signal)


@pytest.mark.parametrize("sample_rate", [8_000, 22_050, 24_414, 44_100, 48_000, 192_000])
def test_resampling_keeps_the_tone_where_it_was(sample_rate):
    resampled = audio.from_array(tone(1000, sample_rate), sample_rate, 16_000).samples
    middle = slice(1_000, 7_000)  # a tone that starts and ends abruptly rings there
    np.testing.assert_allclose(resampled[middle], tone(1000, 16_000)[middle], atol=2e-3)


def test_resampling_removes_what_the_lower_rate_cannot_hold():
    signal = tone(1000, 48_000) + tone(10_000, 48_000)
    resampled = audio.from_array(signal, 48_000, 16_000).samples
    middle = slice(1_000, 7_000)
    np.testing.assert_allclose(resampled[middle], tone(1000, 16_000)[middle], atol=2e-3)


def test_channels_are_averaged():
    frames = np.random.default_rng(1).normal(scale=0.1, size=(4_000, 5)).astype(np.float32)
    sound = audio.from_array(frames, 16_000, 16_000)
    np.testing.assert_allclose(sound.samples, frames.mean(axis=1), atol=1e-7)
    assert codes(sound) == []


def test_one_silent_channel_is_no_cancellation():
    frames = np.stack([tone(300, 16_000), np.zeros(8_000, np.float32)], 1)
    sound = audio.from_array(frames, 16_000, 16_000)
    np.testing.assert_array_equal(sound.samples, frames[:, 0] / 2)
    assert codes(sound) == []


def test_channels_that_cancel_are_replaced_by_the_loudest():
    signal = tone(300, 16_000)
    sound = audio.from_array(np.stack([-0.95 * signal, signal], 1), 16_000, 16_000)
    np.testing.assert_array_equal(sound.samples, signal)
    assert codes(sound) == ["phase_inverted"]


@pytest.mark.parametrize("encoding", pcm.ENCODINGS)
def test_clipping_is_noticed_in_every_encoding(encoding):
    loud = wav.encode(tone(300, 16_000, level=2.0).clip(-1, 1), 16_000, encoding)
    fine = wav.encode(tone(300, 16_000, level=0.9), 16_000, encoding)
    assert codes(audio.decode(loud, 16_000)) == ["clipped"]
    assert codes(audio.decode(fine, 16_000)) == []


def test_a_single_full_scale_peak_is_no_clipping():
    signal = tone(300, 16_000)
    signal[4_000] = 1.0
    assert codes(audio.from_array(signal, 16_000, 16_000)) == []


def test_floats_may_exceed_full_scale():
    signal = np.random.default_rng(1).normal(scale=2000, size=8_000).astype(np.float32)
    sound = audio.decode(wav.encode(signal, 16_000, "float32"), 16_000)
    np.testing.assert_array_equal(sound.samples, signal)
    assert codes(sound) == []


def test_warnings_of_the_container_are_handed_on():
    data = wav.encode(tone(300, 16_000), 16_000)
    assert codes(audio.decode(data[:-1], 16_000)) == ["data_length_clamped", "truncated_frame"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300, -1e20])
@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_no_number_is_refused(value, channels):
    frames = np.stack([tone(300, 16_000).astype(np.float64)] * channels, 1)
    frames[100, -1] = value
    with pytest.raises(NotFinite):
        audio.decode(wav.encode(frames, 16_000, "float64"), 16_000)
    with pytest.raises(NotFinite):
        audio.from_array(frames, 16_000, 8_000)


def test_too_short_is_refused_with_what_is_needed():
    with pytest.raises(AudioTooShort, match="20 ms") as error:
        audio.decode(wav.encode(tone(300, 48_000, 0.02), 48_000), 16_000)
    assert (error.value.received, error.value.allowed) == (
        {"duration_s": 0.02},
        {"min_duration_s": 0.1},
    )
    assert audio.decode(wav.encode(tone(300, 48_000, 0.1), 48_000), 16_000).duration_s == 0.1


@pytest.mark.parametrize("limits", [Limits(), Limits(min_duration_s=0)])
@pytest.mark.parametrize("shape", [(0,), (0, 2)])
def test_nothing_at_all_is_too_short(limits, shape):
    with pytest.raises(AudioTooShort):
        audio.from_array(np.zeros(shape, np.float32), 16_000, 8_000, limits)


@pytest.mark.parametrize("encoding", pcm.ENCODINGS)
@pytest.mark.parametrize("sample_rate", [16_000, 48_000])
def test_silence_is_refused_in_every_encoding(encoding, sample_rate):
    with pytest.raises(NoSpeech):
        audio.decode(wav.encode(np.zeros(sample_rate), sample_rate, encoding), 16_000)


def test_an_offset_is_silence_and_a_whisper_is_not():
    with pytest.raises(NoSpeech):
        audio.from_array(np.full(8_000, 0.25, np.float32), 16_000, 16_000)
    with pytest.raises(NoSpeech):
        audio.from_array(tone(300, 16_000, level=9e-5), 16_000, 16_000)
    assert audio.from_array(tone(300, 16_000, level=2e-4), 16_000, 16_000).samples.any()


def test_check_usable_takes_other_limits():
    sound = audio.from_array(tone(300, 16_000), 16_000, 16_000)
    audio.check_usable(sound)
    with pytest.raises(AudioTooShort):
        audio.check_usable(sound, Limits(min_duration_s=1.0))


@pytest.mark.parametrize(
    ("dtype", "encoding"),
    [
        (np.uint8, "pcm_u8"),
        (np.int16, "pcm_s16"),
        (np.int32, "pcm_s32"),
        (np.float32, "float32"),
        (np.float64, "float64"),
        (np.dtype(">i2"), "pcm_s16"),
    ],
)
def test_an_array_is_heard_as_the_file_that_it_would_make(dtype, encoding):
    signal = tone(300, 16_000)
    array = pcm.from_float(signal, encoding).astype(dtype)
    before = array.copy()

    sound = audio.from_array(array, 16_000, 8_000)

    from_file = audio.decode(wav.encode(signal, 16_000, encoding), 8_000)
    np.testing.assert_array_equal(sound.samples, from_file.samples)
    assert sound.encoding == from_file.encoding == encoding
    np.testing.assert_array_equal(array, before)


def test_the_result_does_not_share_memory_with_the_array():
    signal = tone(300, 16_000)
    sound = audio.from_array(signal, 16_000, 16_000)
    assert not np.shares_memory(sound.samples, signal)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(8_000, np.int64),
        np.zeros(8_000, bool),
        np.zeros(8_000, complex),
        np.zeros((8_000, 1, 1), np.float32),
        np.float32(0.5),
        np.zeros((2, 8_000), np.float32),  # channels first
        np.zeros((8_000, 0), np.float32),
    ],
)
def test_arrays_of_another_kind_are_refused(array):
    with pytest.raises(UnsupportedAudio) as error:
        audio.from_array(array, 16_000, 16_000)
    assert error.value.received
    assert error.value.allowed


def test_limits_hold_for_arrays():
    with pytest.raises(AudioTooLong):
        audio.from_array(tone(300, 16_000), 16_000, 16_000, Limits(max_duration_s=0.4))
    with pytest.raises(UnsupportedAudio):
        audio.from_array(tone(300, 16_000), 0, 16_000)


@pytest.mark.parametrize(
    ("name", "options", "tolerance"),
    [
        ("clip.wav", {}, 0),
        ("clip.flac", {}, 0),
        ("clip.aiff", {}, 0),
        ("clip.ogg", {}, 0.02),
        ("clip.mp3", {}, 0.05),
        ("a flac named.wav", {"format": "FLAC"}, 0),
        ("a wav named.flac", {"format": "WAV"}, 0),
        ("ünïcode und Leerzeichen.flac", {}, 0),
    ],
)
def test_files_of_every_kind_sound_alike(tmp_path: Path, name, options, tolerance):
    signal = np.rint(tone(300, 16_000) * 32_768) / 32_768
    soundfile.write(tmp_path / name, signal, 16_000, **options)

    sound = audio.read(tmp_path / name, 16_000)

    assert len(sound.samples) == len(signal)
    middle = slice(1_000, 7_000)
    np.testing.assert_allclose(sound.samples[middle], signal[middle], atol=tolerance)
    assert audio.read(str(tmp_path / name), 16_000).encoding == sound.encoding


def test_files_that_are_no_audio_are_refused_by_name(tmp_path: Path):
    path = tmp_path / "clip.wav"
    path.write_text("not a sound")
    with pytest.raises(UnsupportedAudio, match="text"):
        audio.read(path, 16_000)
    path.write_bytes(b"")
    with pytest.raises(MalformedAudio, match="empty"):
        audio.read(path, 16_000)
    with pytest.raises(FileNotFoundError):
        audio.read(tmp_path / "absent.wav", 16_000)


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_pipe_is_read_as_a_file_is(tmp_path: Path, suffix):
    path, pipe = tmp_path / f"clip.{suffix}", tmp_path / "pipe"
    soundfile.write(path, tone(300, 16_000), 16_000)
    with filled(pipe, path.read_bytes()):
        sound = audio.read(pipe, 16_000)
    np.testing.assert_array_equal(sound.samples, audio.read(path, 16_000).samples)


def test_what_is_wrong_with_a_file_of_another_kind_is_told(tmp_path: Path):
    path = tmp_path / "clip.ogg"
    soundfile.write(path, tone(300, 16_000), 16_000)
    path.write_bytes(2 * path.read_bytes())
    assert [each.code for each in audio.read(path, 16_000).warnings] == ["joined_recordings"]


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_limits_hold_for_files(tmp_path: Path, suffix):
    path = tmp_path / f"clip.{suffix}"
    soundfile.write(path, tone(300, 16_000), 16_000)
    size = path.stat().st_size
    assert audio.read(path, 16_000, Limits(max_bytes=size)).duration_s == 0.5
    with pytest.raises(AudioTooLarge) as error:
        audio.read(path, 16_000, Limits(max_bytes=size - 1))
    assert error.value.received == {"bytes": size}
    with pytest.raises(AudioTooLong):
        audio.read(path, 16_000, Limits(max_duration_s=0.4))


@pytest.mark.recordings
def test_originals_sound_as_their_16_khz_copies(recordings: Path):
    paths = sorted((recordings / "originals" / "ravdess").glob("*.wav"))
    assert paths
    for path in paths:
        original = audio.read(path, 16_000)
        copy = audio.read(
            recordings / "ravdess" / f"Actor_{path.stem[-2:]}" / f"{path.stem}.flac", 16_000
        )
        n = min(len(original.samples), len(copy.samples))
        correlation = np.corrcoef(original.samples[:n], copy.samples[:n])[0, 1]
        assert correlation > 0.99, path.name
