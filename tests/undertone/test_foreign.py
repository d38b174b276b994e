import io
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import soundfile

from undertone import foreign, foreign_child, mpeg
from undertone.errors import (
    AudioError,
    AudioTooLarge,
    AudioTooLong,
    MalformedAudio,
    UnsupportedAudio,
)
from undertone.limits import Limits


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The readers that were started during the test; none runs before it."""
    foreign.close()
    processes: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def recorded(*args, **kwargs):
        processes.append(popen(*args, **kwargs))
        return processes[-1]

    monkeypatch.setattr(subprocess, "Popen", recorded)
    yield processes
    foreign.close()
    assert all(process.poll() is not None for process in processes)


@pytest.fixture
def flac(tmp_path: Path) -> Path:
    return write(tmp_path / "clip.flac", 1)


def write(path: Path, seed: int, channels: int = 2, sample_rate: int = 8_000) -> Path:
    frames = np.random.default_rng(seed).normal(scale=0.1, size=(8_000, channels))
    soundfile.write(path, frames, sample_rate)
    return path


def decode_file(path, timeout_s=10.0, *, limits=None):
    """Frames, rate and encoding of what lies in a file."""
    decoded = foreign.decode(Path(path).read_bytes(), timeout_s, limits=limits)
    return decoded.samples, decoded.sample_rate, decoded.encoding


def script(folder: Path, text: str) -> str:
    """A program to run in the place of the reader."""
    path = folder / "reader.py"
    path.write_text(text)
    return str(path)


def test_one_reader_serves_all_files(started, tmp_path: Path):
    for seed in range(5):
        path = write(tmp_path / f"{seed}.flac", seed)
        frames, sample_rate, encoding = decode_file(path)
        np.testing.assert_array_equal(frames, soundfile.read(path, dtype="float32")[0])
        assert (frames.dtype, sample_rate, encoding) == (np.float32, 8_000, "flac_pcm_16")
        assert frames.flags.writeable
    assert len(started) == 1


@pytest.mark.parametrize(
    ("suffix", "encoding"),
    [
        ("ogg", "ogg_vorbis"),
        ("mp3", "mp3_mpeg_layer_iii"),
        ("aiff", "aiff_pcm_16"),
    ],
)
def test_other_formats_are_named(tmp_path: Path, suffix, encoding):
    path = write(tmp_path / f"clip.{suffix}", 1)
    assert foreign.recognises(path.read_bytes()[:16])
    frames, _, name = decode_file(path)
    assert (frames.shape, name) == ((8_000, 2), encoding)


def test_a_reader_that_hangs_is_killed_and_replaced(
    started, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flac: Path
):
    with monkeypatch.context() as patch:
        patch.setattr(foreign_child, "__file__", script(tmp_path, "import time; time.sleep(600)"))
        with pytest.raises(MalformedAudio, match=r"longer than 0\.5 s"):
            decode_file(flac, timeout_s=0.5)
    assert decode_file(flac)[1] == 8_000
    assert len(started) == 2


def test_a_reader_that_died_is_replaced(started, flac: Path):
    decode_file(flac)
    started[0].kill()
    started[0].wait()
    assert decode_file(flac)[1] == 8_000
    assert len(started) == 2


def test_a_reader_that_crashes_over_a_file_is_no_error_of_ours(
    started, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flac: Path
):
    crashing = f"import os; os.kill(os.getpid(), {signal.SIGSEGV})"
    with monkeypatch.context() as patch:
        patch.setattr(foreign_child, "__file__", script(tmp_path, crashing))
        with pytest.raises(MalformedAudio, match="crashed"):
            decode_file(flac)
    assert decode_file(flac)[1] == 8_000


def test_a_reader_that_cannot_start_is_no_error_of_the_file(
    started, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flac: Path
):
    monkeypatch.setattr(foreign_child, "__file__", script(tmp_path, "raise ImportError"))
    with pytest.raises(RuntimeError, match="ended early"):
        decode_file(flac)


def test_threads_get_their_own_answers(tmp_path: Path):
    paths = [write(tmp_path / f"{seed}.flac", seed) for seed in range(4)] * 4
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(decode_file, paths))
    for path, (frames, _, _) in zip(paths, answers, strict=True):
        np.testing.assert_array_equal(frames, soundfile.read(path, dtype="float32")[0])


def test_a_daemonic_worker_may_read_files(flac: Path):
    with get_context("spawn").Pool(1) as pool:
        frames, _, _ = pool.apply(decode_file, (flac,))
        pool.close()
        pool.join()
    assert frames.shape == (8_000, 2)


def test_a_relative_path_means_the_folder_of_the_caller(
    started, monkeypatch: pytest.MonkeyPatch, flac: Path
):
    decode_file(flac)
    monkeypatch.chdir(flac.parent)
    assert decode_file(flac.name)[1] == 8_000


def test_the_reader_imports_neither_undertone_nor_tensorflow():
    process = subprocess.run(
        [sys.executable, "-P", "-X", "importtime", foreign_child.__file__],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        text=True,
    )
    assert "soundfile" in process.stderr
    assert "undertone" not in process.stderr
    assert "tensorflow" not in process.stderr


def test_limits_hold(tmp_path: Path, flac: Path):
    with pytest.raises(AudioTooLarge) as large:
        decode_file(flac, limits=Limits(max_bytes=100))
    assert not isinstance(large.value, AudioTooLong)
    with pytest.raises(AudioTooLong):
        decode_file(flac, limits=Limits(max_duration_s=0.5))
    with pytest.raises(UnsupportedAudio, match="2 channels"):
        decode_file(flac, limits=Limits(max_channels=1))
    with pytest.raises(UnsupportedAudio, match="8000 Hz"):
        decode_file(flac, limits=Limits(max_sr=4_000))


def test_a_stream_of_unknown_length_is_refused(flac: Path):
    data = bytearray(flac.read_bytes())
    data[21] &= 0xF0  # STREAMINFO ends with 36 bits of length and a checksum
    data[22:26] = bytes(4)
    flac.write_bytes(data)
    with pytest.raises(UnsupportedAudio, match="how long"):
        decode_file(flac)


def test_a_file_that_was_cut_off_is_malformed(flac: Path):
    data = flac.read_bytes()
    flac.write_bytes(data[: len(data) // 2])
    with pytest.raises(MalformedAudio):
        decode_file(flac)


@pytest.fixture
def mp3(tmp_path: Path) -> bytes:
    """2 s of voice-like sound, of a constant rate, whose first frame says how long it is."""
    time = np.arange(2 * 22_050) / 22_050
    sound = 0.3 * np.sin(2 * np.pi * 150 * time) * (1 + np.sin(2 * np.pi * 3 * time)) / 2
    path = tmp_path / "clip.mp3"
    soundfile.write(path, sound, 22_050, bitrate_mode="CONSTANT")
    return path.read_bytes()


def without_announcement(mp3: bytes) -> bytes:
    """The file without its first frame, as many encoders write it."""
    length = mpeg.measure(mp3)
    assert length is not None
    assert length.announced == length.n_frames
    return mp3[length.begin :]


def duration_s(decoded: foreign.Decoded) -> float:
    return len(decoded.samples) / decoded.sample_rate


def codes(decoded: foreign.Decoded) -> list[str]:
    return [warning.code for warning in decoded.warnings]


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE", "AVERAGE"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("sample_rate", [8_000, 11_025, 24_000, 32_000, 44_100])
def test_of_an_mp3_that_is_whole_nothing_is_said(sample_rate, channels, mode):
    """Of every version, whatever its encoder added before and after the sound."""
    for n_samples in (20_000, 20_123, 20_571):
        sound = np.random.default_rng(n_samples).normal(scale=0.1, size=(n_samples, channels))
        file = io.BytesIO()
        soundfile.write(file, sound, sample_rate, format="MP3", bitrate_mode=mode)
        found = foreign.decode(file.getvalue())
        assert (found.samples.shape, found.warnings) == (sound.shape, ())
        bare = foreign.decode(without_announcement(file.getvalue()))
        assert 0 <= len(bare.samples) - n_samples < 4 * 1152
        assert (bare.samples.shape[1], bare.sample_rate) == (channels, sample_rate)
        assert bare.warnings == ()


def test_an_mp3_that_does_not_say_how_long_it_is_is_heard_whole(mp3: bytes):
    bare = without_announcement(mp3)
    found = foreign.decode(bare)
    assert duration_s(found) == pytest.approx(2, abs=0.1)
    assert found.warnings == ()
    with_a_picture = b"ID3\x04\0\0\0\0\x08\0" + b"\xff\xfb\x90\0" * 256 + bare
    np.testing.assert_array_equal(foreign.decode(with_a_picture).samples, found.samples)


@pytest.mark.parametrize(("n_more", "told"), [(0, []), (40, ["data_length_clamped"]), (-40, [])])
def test_what_other_encoders_announce_is_understood(mp3: bytes, n_more: int, told: list[str]):
    """Fraunhofer's, which libsndfile passes over; and right or wrong, the file is heard whole."""
    bare = without_announcement(mp3)
    whole = mpeg.measure(bare)
    assert whole is not None
    n_frames = whole.n_frames + n_more
    tag = b"VBRI" + struct.pack(">HHHIIHHHH", 1, 0, 75, len(mp3), n_frames, 0, 1, 2, 1)
    announcing = (mp3[:4] + bytes(32) + tag).ljust(len(mp3) - len(bare), b"\0")
    found = foreign.decode(announcing + bare)
    np.testing.assert_array_equal(found.samples, foreign.decode(bare).samples)
    assert codes(found) == told


@pytest.mark.parametrize("loud", [slice(8_000), slice(200_000, None)], ids=["first", "later"])
def test_an_mp3_whose_first_frame_misleads_is_heard_whole(tmp_path: Path, loud: slice):
    """Its size stands for nothing where the rate varies: the guess is a part, or many times as much."""
    sound = np.zeros(22_050 * 20)
    sound[loud] = np.random.default_rng(1).normal(scale=0.3, size=sound[loud].shape)
    path = tmp_path / "clip.mp3"
    soundfile.write(path, sound, 22_050, bitrate_mode="VARIABLE", compression_level=0)
    bare = without_announcement(path.read_bytes())
    assert duration_s(foreign.decode(bare, limits=Limits(max_duration_s=21))) == pytest.approx(
        20, abs=0.1
    )
    with pytest.raises(AudioTooLong):
        foreign.decode(bare, limits=Limits(max_duration_s=19))


def test_an_mp3_that_was_cut_is_heard_with_a_warning(mp3: bytes):
    middle = mp3[: len(mp3) // 3] + mp3[len(mp3) // 2 :]
    for data in (mp3[:-100], mp3[: len(mp3) * 9 // 10], middle):
        found = foreign.decode(data)
        assert 1 < duration_s(found) < 2
        assert codes(found) == ["data_length_clamped"]
    bare = without_announcement(mp3)
    assert codes(foreign.decode(bare[:-10])) == ["truncated_frame"]


def test_mp3s_that_were_joined_are_heard_to_the_end(mp3: bytes):
    found = foreign.decode(mp3 + mp3)
    assert duration_s(found) == pytest.approx(4, abs=0.3)
    half = len(found.samples) // 2
    assert np.std(found.samples[half + 2_000 :]) == pytest.approx(0.13, abs=0.02)


def test_an_mp3_whose_frames_do_not_say_how_long_they_are_is_bounded(tmp_path: Path):
    """A free bit rate, which nearly nobody uses: only libsndfile can tell what there is."""
    free = b"\xff\xfb\x00\xc4" + bytes(500)
    assert mpeg.measure(100 * free) is None
    with pytest.raises((MalformedAudio, UnsupportedAudio, AudioTooLong)):
        foreign.decode(100 * free, limits=Limits(max_duration_s=0.1))


@pytest.mark.parametrize("seed", range(20))
def test_nothing_that_an_mp3_holds_is_an_error_of_ours(mp3: bytes, seed: int):
    generator = np.random.default_rng(seed)
    spoiled = bytearray(mp3)
    for place in generator.integers(len(mp3), size=generator.choice([1, 10, 200])):
        spoiled[place] = generator.integers(256)
    with suppress(AudioError):
        foreign.decode(bytes(spoiled))


@pytest.mark.parametrize(
    ("container", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS"), ("AIFF", None)]
)
def test_what_was_cut_and_can_be_heard_is_said_to_be_cut(container, subtype):
    file = io.BytesIO()
    sound = np.random.default_rng(1).normal(scale=0.1, size=48_000)
    soundfile.write(file, sound, 16_000, format=container, subtype=subtype)
    data = file.getvalue()
    assert foreign.decode(data).warnings == ()
    cut = foreign.decode(data[:-100])
    assert 0 < duration_s(cut) < 3
    assert codes(cut) == ["data_length_clamped"]


def test_of_oggs_that_were_joined_it_is_said_that_the_first_is_heard(tmp_path: Path):
    data = write(tmp_path / "clip.ogg", 1).read_bytes()
    found = foreign.decode(data + data)
    assert (duration_s(found), codes(found)) == (1, ["joined_recordings"])


@pytest.mark.parametrize("tail", [b"", bytes(400), b"\xff" * 400])
@pytest.mark.parametrize("head", [b"fLaC", b"OggS", b"ID3\x04"])
def test_garbage_is_refused(tmp_path: Path, head, tail):
    path = tmp_path / "garbage"
    path.write_bytes(head + tail)
    with pytest.raises((MalformedAudio, UnsupportedAudio)):
        decode_file(path)


def test_the_conversation_ends_with_its_stream(flac: Path):
    requests, answers = io.BytesIO(), io.BytesIO()
    limits = {"max_duration_s": 1.0, "max_sr": 48_000, "max_channels": 8, "is_guessed": False}
    for data in (flac.read_bytes(), b"no sound"):
        foreign_child.send(requests, {"n_bytes": len(data), **limits})
        requests.write(data)
    foreign_child.send(requests, {"n_bytes": 8, **limits})
    requests.write(b"\x05\x00\x00\x00cut")
    requests.seek(0)

    foreign_child.serve(requests, answers)

    answers.seek(0)
    header = foreign_child.receive(answers)
    assert header is not None
    assert header["n_bytes"] == 8_000 * 2 * 4 == len(answers.read(header["n_bytes"]))
    assert "error" in (foreign_child.receive(answers) or {})
    assert foreign_child.receive(answers) is None
