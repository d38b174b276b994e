"""Coverage-guided fuzzing of the walk over RIFF, with Atheris (libFuzzer for Python).

The child (``python -m benchmarks.soak.fuzz FOLDER RUNS``) is driven by libFuzzer and ends with it; an
exception that is no `AudioError`, a broken promise, a second without an answer or too much memory
ends it with the input in the folder. `measure` starts it, and replays what it kept under coverage.py.
What was ever found stands in ``tests/undertone/test_wav.py``.
"""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np

RUNS: Final = int(os.environ.get("RUNS", "5000000"))
SECONDS: Final = int(os.environ.get("SECONDS_AT_MOST", "3600"))
LONGEST: Final = 512
"""Bytes of an input: a header with a dozen chunks; longer ones say nothing new and cost more."""
HANG_S: Final = 1
MEMORY_MB: Final = 512
"""Of the whole process, most of which Python and numpy take."""

WORDS: Final = (
    *(b"RIFF", b"RIFX", b"RF64", b"WAVE", b"fmt ", b"data", b"LIST", b"FLLR", b"bext", b"fact"),
    *(b"\x10\0\0\0", b"\x28\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\xfe\xff"),
    bytes.fromhex("0100000000001000800000aa00389b71"),
)
WATCHED: Final = (
    "undertone/wav.py",
    "undertone/pcm.py",
    "undertone/sniff.py",
    "undertone/limits.py",
)


def measure() -> dict[str, Any]:
    """Fuzz for `RUNS` executions or `SECONDS`: how fast it went, what was reached, what was found.

    Raises:
        RuntimeError: something was found, or Atheris is not there or did not run.
    """
    if importlib.util.find_spec("atheris") is None:
        # Built for Linux and CPython alone, and needed nowhere else: it is not in the lock.
        raise RuntimeError(
            f"needs Atheris: uv pip install --python {sys.executable} atheris==3.0.0"
        )
    with tempfile.TemporaryDirectory() as folder:
        seeds, found = Path(folder, "seeds"), Path(folder, "found")
        seeds.mkdir()
        found.mkdir()
        for number, data in enumerate(examples()):
            (seeds / f"seed-{number:02d}").write_bytes(data)
        words = Path(folder, "words")
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in WORDS))
        options = [
            f"-runs={RUNS}",
            f"-max_total_time={SECONDS}",
            f"-max_len={LONGEST}",
            f"-timeout={HANG_S}",
            f"-rss_limit_mb={MEMORY_MB}",
            f"-dict={words}",
            f"-artifact_prefix={found}/",
            "-print_final_stats=1",
            "-seed=1",
        ]
        child = [sys.executable, "-m", "benchmarks.soak.fuzz", str(seeds), *options]
        done = subprocess.run(child, capture_output=True, text=True, check=False)
        cases = {path.name: path.read_bytes().hex() for path in found.iterdir()}
        if done.returncode or cases:
            raise RuntimeError(f"the fuzzer found something: {cases}\n{done.stderr[-4000:]}")
        statistics = dict(re.findall(r"^stat::(\w+): +(\d+)", done.stderr, re.MULTILINE))
        edges, features = re.findall(r"cov: (\d+) ft: (\d+)", done.stderr)[-1]
        return {
            "executions": int(statistics["number_of_executed_units"]),
            "executions_per_second": int(statistics["average_exec_per_sec"]),
            "slowest_s": int(statistics["slowest_unit_time_sec"]),
            "peak_memory_mb": int(statistics["peak_rss_mb"]),
            "edges": int(edges),
            "features": int(features),
            "inputs_kept": len(list(seeds.iterdir())),
            "lines_and_branches_reached": replay(seeds),
            "found": 0,
        }


def examples() -> list[bytes]:
    """What the fuzzer starts from: a short file of each encoding, and a few odd ones."""
    from undertone import pcm, wav

    wave = np.sin(np.arange(24))
    plain = [wav.encode(wave, 8_000, encoding) for encoding in pcm.ENCODINGS]
    stereo = wav.encode(np.stack([wave, -wave], axis=1), 48_000)
    streamed = stereo[:40] + b"\xff\xff\xff\xff" + stereo[44:]
    extensible = (
        stereo[:16]
        + b"\x28\0\0\0\xfe\xff"
        + stereo[22:36]
        + bytes.fromhex("1600100003000000")
        + bytes.fromhex("0100000000001000800000aa00389b71")
        + stereo[36:]
    )
    filled = stereo[:12] + b"FLLR\x05\0\0\0filler" + stereo[12:]
    return [*plain, stereo, streamed, extensible, filled, b"", b"RIFF", b"<html>", b"ID3\x04"]


def promises_hold(data: bytes) -> None:
    """Parse and decode one input.

    Raises:
        AssertionError: the walk broke a promise.
        Exception: whatever else it raised that is no `AudioError`.
    """
    from undertone import wav
    from undertone.errors import AudioError

    try:
        info = wav.parse(data)
    except AudioError:
        return
    assert 0 <= info.data_offset <= info.data_offset + info.data_length <= len(data)
    assert 1 <= info.channels <= 8
    assert 4_000 <= info.sample_rate <= 192_000
    decoded = wav.samples(data, info)
    assert decoded.shape == (info.n_frames, info.channels)
    assert decoded.nbytes <= 4 * len(data), "a byte becomes a float32 and no more"


def replay(folder: Path) -> dict[str, str]:
    """How much of each module the inputs in a folder reach, as coverage.py counts."""
    code = (
        "import sys; from pathlib import Path; from benchmarks.soak.fuzz import promises_hold\n"
        "for path in Path(sys.argv[1]).iterdir(): promises_hold(path.read_bytes())"
    )
    with tempfile.TemporaryDirectory() as place:
        data = f"--data-file={place}/coverage"
        script = Path(place, "replay.py")
        script.write_text(code)
        coverage = [sys.executable, "-m", "coverage"]
        run = ["run", data, "--rcfile=/dev/null", "--branch", f"--include={','.join(WATCHED)}"]
        subprocess.run([*coverage, *run, str(script), str(folder)], check=True)
        report = subprocess.run(
            [*coverage, "report", data, "--rcfile=/dev/null"],
            capture_output=True,
            text=True,
            check=True,
        )
    return dict(re.findall(r"^(undertone/\S+).* (\d+%)", report.stdout, re.MULTILINE))


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def _fuzz() -> None:
    """Let libFuzzer drive; it ends the process."""
    import atheris

    with atheris.instrument_imports(include=["undertone"]):
        import undertone.wav  # noqa: F401

    atheris.Setup(sys.argv, promises_hold)
    atheris.Fuzz()


if __name__ == "__main__":
    _fuzz()
