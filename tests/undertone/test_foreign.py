import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import soundfile

from undertone import foreign, foreign_child
from undertone.errors import AudioTooLarge, AudioTooLong, MalformedAudio, UnsupportedAudio
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


def test_one_reader_serves_all_files(started, tmp_path: Path):
    for seed in range(5):
        path = write(tmp_path / f"{seed}.flac", seed)
        frames, sample_rate, encoding = foreign.decode_file(path)
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
    frames, _, name = foreign.decode_file(path)
    assert (frames.shape, name) == ((8_000, 2), encoding)


def test_a_reader_that_hangs_is_killed_and_replaced(started, tmp_path: Path, flac: Path):
    pipe = tmp_path / "endless.flac"
    os.mkfifo(pipe)  # whoever opens it waits for a writer that never comes
    with pytest.raises(MalformedAudio, match=r"longer than 0\.5 s"):
        foreign.decode_file(pipe, timeout_s=0.5)
    assert foreign.decode_file(flac)[1] == 8_000
    assert len(started) == 2


def test_a_reader_that_died_is_replaced(started, flac: Path):
    foreign.decode_file(flac)
    started[0].kill()
    started[0].wait()
    assert foreign.decode_file(flac)[1] == 8_000
    assert len(started) == 2


def test_a_reader_that_crashes_over_a_file_is_no_error_of_ours(started, tmp_path: Path, flac: Path):
    foreign.decode_file(flac)
    pipe = tmp_path / "crash.flac"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(foreign.decode_file, pipe)
        with pipe.open("wb"):  # returns when the reader has opened its end
            os.kill(started[0].pid, signal.SIGSEGV)
        with pytest.raises(MalformedAudio, match="crashed"):
            answer.result()
    assert foreign.decode_file(flac)[1] == 8_000


def test_a_reader_that_cannot_start_is_no_error_of_the_file(
    started, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flac: Path
):
    broken = tmp_path / "broken.py"
    broken.write_text("raise ImportError")
    monkeypatch.setattr(foreign_child, "__file__", str(broken))
    with pytest.raises(RuntimeError, match="ended early"):
        foreign.decode_file(flac)


def test_threads_get_their_own_answers(tmp_path: Path):
    paths = [write(tmp_path / f"{seed}.flac", seed) for seed in range(4)] * 4
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(foreign.decode_file, paths))
    for path, (frames, _, _) in zip(paths, answers, strict=True):
        np.testing.assert_array_equal(frames, soundfile.read(path, dtype="float32")[0])


def test_a_daemonic_worker_may_read_files(flac: Path):
    with get_context("spawn").Pool(1) as pool:
        frames, _, _ = pool.apply(foreign.decode_file, (flac,))
        pool.close()
        pool.join()
    assert frames.shape == (8_000, 2)


def test_a_relative_path_means_the_folder_of_the_caller(
    started, monkeypatch: pytest.MonkeyPatch, flac: Path
):
    foreign.decode_file(flac)
    monkeypatch.chdir(flac.parent)
    assert foreign.decode_file(flac.name)[1] == 8_000


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
        foreign.decode_file(flac, limits=Limits(max_bytes=100))
    assert not isinstance(large.value, AudioTooLong)
    with pytest.raises(AudioTooLong):
        foreign.decode_file(flac, limits=Limits(max_duration_s=0.5))
    with pytest.raises(UnsupportedAudio, match="2 channels"):
        foreign.decode_file(flac, limits=Limits(max_channels=1))
    with pytest.raises(UnsupportedAudio, match="8000 Hz"):
        foreign.decode_file(flac, limits=Limits(max_sr=4_000))
    with pytest.raises(FileNotFoundError):
        foreign.decode_file(tmp_path / "absent.flac")


def test_a_stream_of_unknown_length_is_refused(flac: Path):
    data = bytearray(flac.read_bytes())
    data[21] &= 0xF0  # STREAMINFO ends with 36 bits of length and a checksum
    data[22:26] = bytes(4)
    flac.write_bytes(data)
    with pytest.raises(UnsupportedAudio, match="how long"):
        foreign.decode_file(flac)


def test_a_file_that_was_cut_off_is_malformed(flac: Path):
    data = flac.read_bytes()
    flac.write_bytes(data[: len(data) // 2])
    with pytest.raises(MalformedAudio):
        foreign.decode_file(flac)


@pytest.mark.parametrize("tail", [b"", bytes(400), b"\xff" * 400])
@pytest.mark.parametrize("head", [b"fLaC", b"OggS", b"ID3\x04"])
def test_garbage_is_refused(tmp_path: Path, head, tail):
    path = tmp_path / "garbage"
    path.write_bytes(head + tail)
    with pytest.raises((MalformedAudio, UnsupportedAudio)):
        foreign.decode_file(path)


def test_the_conversation_ends_with_its_stream(flac: Path):
    requests, answers = io.BytesIO(), io.BytesIO()
    limits = {"max_duration_s": 1.0, "max_sr": 48_000, "max_channels": 8}
    for path in (str(flac), str(flac.parent / "absent")):
        foreign_child.send(requests, {"path": path, **limits})
    requests.write(b"\x05\x00\x00\x00cut")
    requests.seek(0)

    foreign_child.serve(requests, answers)

    answers.seek(0)
    header = foreign_child.receive(answers)
    assert header is not None
    assert header["n_bytes"] == 8_000 * 2 * 4 == len(answers.read(header["n_bytes"]))
    assert "error" in (foreign_child.receive(answers) or {})
    assert foreign_child.receive(answers) is None
