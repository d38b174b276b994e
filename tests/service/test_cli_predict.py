"""`undertone predict`, with a model of its own and with a service."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.pipes import filled
from tests.support.rights import shut
from tests.support.sounds import hum_wav
from undertone import wav
from undertone.emotions import RAVDESS


@pytest.fixture
def clips(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Two recordings and, between them, one that cannot be read."""
    paths = tmp_path / "one.wav", tmp_path / "broken.wav", tmp_path / "two.wav"
    paths[0].write_bytes(hum_wav(pitch=120))
    paths[1].write_bytes(b"RIFF")
    paths[2].write_bytes(hum_wav(pitch=220))
    return paths


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Recordings at two depths, one that is none, and files that are not meant."""
    root = tmp_path / "recordings"
    (root / "monday").mkdir(parents=True)
    (root / ".trash").mkdir()
    (root / "b.WAV").write_bytes(hum_wav(pitch=120))
    (root / "monday" / "a.wav").write_bytes(hum_wav(seconds=7, pitch=180))
    (root / "monday" / "broken.wav").write_bytes(b"RIFF")
    for name in ("notes.txt", "._b.wav", ".trash/gone.wav"):
        (root / name).write_bytes(b"not meant")
    return root


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_table_shows_the_likeliest_emotions(undertone, clips):
    result = undertone("predict", "--format", "table", clips[0], clips[2])
    assert result.exit_code == 0, result.output
    assert "one.wav" in result.stdout
    assert "two.wav" in result.stdout
    assert any(emotion in result.stdout for emotion in RAVDESS)
    assert "%" in result.stdout


def test_a_file_that_fails_is_a_row_and_keeps_no_other_from_being_answered(undertone, clips):
    result = undertone("predict", "--format", "table", *clips)
    assert result.exit_code == 1
    for expected in ("one.wav", "two.wav", "broken.wav", "The WAV file is cut off inside its"):
        assert expected in result.stdout


def test_a_damaged_mp3_keeps_no_other_from_being_answered(undertone, clips):
    """libsndfile announces more sound than this file holds: it was cut, and nothing says how long it was."""
    damaged = clips[0].with_name("damaged.mp3")
    soundfile.write(damaged, np.zeros(16_000), 16_000, bitrate_mode="CONSTANT")
    data = damaged.read_bytes()
    second = data.index(data[:2], 2)
    damaged.write_bytes(data[second : len(data) // 2] + data[len(data) * 2 // 3 :])
    broken, one = rows(undertone("predict", damaged, clips[0]).stdout)
    assert broken["code"] == "no_speech", "it is read, and silent"
    assert one["label"]


def test_json_lines_are_one_object_each(undertone, clips):
    missing = clips[0].with_name("none.wav")
    result = undertone("predict", "--format", "jsonl", "--top-k", 2, *clips, missing)
    assert result.exit_code == 1
    one, broken, two, none = map(json.loads, result.stdout.splitlines())
    assert one["file"].endswith("one.wav")
    assert one["label"] == one["probabilities"][0]["label"]
    assert len(one["probabilities"]) == len(two["probabilities"]) == 2
    assert one["audio"]["encoding"] == "pcm_s16"
    assert broken["problem"]["code"] == "malformed_audio"
    assert none["problem"]["code"] == "unreadable_file"
    assert result.stderr == ""


def test_json_is_one_array(undertone, clips):
    result = undertone("predict", "--format", "json", *clips)
    assert [Path(each["file"]).name for each in json.loads(result.stdout)] == [
        clip.name for clip in clips
    ]


def test_a_pipe_gets_csv_with_a_column_for_each_emotion(undertone, clips):
    result = undertone("predict", *clips)
    one, broken, two = rows(result.stdout)
    assert result.exit_code == 1
    for row in (one, two):
        scores = {emotion: float(row[emotion]) for emotion in RAVDESS}
        assert sum(scores.values()) == pytest.approx(1)
        assert row["label"] == max(scores, key=scores.get)
        assert float(row["score"]) == max(scores.values())
        assert row["problem"] == row["code"] == ""
    assert broken["code"] == "malformed_audio"
    assert "cut off" in broken["problem"]
    assert broken["label"] == ""


def test_a_folder_is_all_the_recordings_in_it(undertone, folder):
    result = undertone("predict", folder)
    assert result.exit_code == 1, "one of them is broken"
    assert [row["file"] for row in rows(result.stdout)] == [
        str(folder / name) for name in ("b.WAV", "monday/a.wav", "monday/broken.wav")
    ]


def test_a_folder_that_may_not_be_read_is_a_row_too(undertone, folder, monkeypatch):
    shut(monkeypatch, folder / "monday")
    one, monday = rows(undertone("predict", folder).stdout)
    assert one["label"]
    assert monday["file"] == str(folder / "monday")
    assert (monday["code"], monday["problem"]) == ("unreadable_file", "Permission denied")


def test_what_is_no_file_is_passed_over_in_folders(undertone, folder):
    """Nobody writes into the pipe: it would be waited for for ever."""
    os.mkfifo(folder / "c.wav")
    (folder / "d.wav").symlink_to("nowhere")
    said = rows(undertone("predict", folder).stdout)
    assert [Path(row["file"]).name for row in said] == ["b.WAV", "d.wav", "a.wav", "broken.wav"]
    assert said[1]["code"] == "unreadable_file"


@pytest.mark.parametrize("over_http", [False, True])
@pytest.mark.parametrize("suffix", ["flac", "wav"])
def test_a_pipe_is_heard(undertone, client, tmp_path, hello, suffix, over_http):
    options = ("--url", client.base_url) if over_http else ()
    clip, pipe = tmp_path / f"clip.{suffix}", tmp_path / "pipe"
    sound, sr = soundfile.read(hello)
    soundfile.write(clip, sound, sr)
    with filled(pipe, clip.read_bytes()):
        (piped,) = rows(undertone("predict", pipe, *options).stdout)
    (expected,) = rows(undertone("predict", clip, *options).stdout)
    assert piped == {**expected, "file": str(pipe)}


@pytest.mark.parametrize("over_http", [False, True])
def test_what_decoding_a_file_tells_is_told(undertone, client, tmp_path, hello, over_http):
    options = ("--url", client.base_url) if over_http else ()
    clip, pipe = tmp_path / "clip.ogg", tmp_path / "pipe"
    soundfile.write(clip, *soundfile.read(hello))
    clip.write_bytes(2 * clip.read_bytes())
    with filled(pipe, clip.read_bytes()):
        (piped,) = rows(undertone("predict", pipe, *options).stdout)
    (filed,) = rows(undertone("predict", clip, *options).stdout)
    assert piped["warnings"] == filed["warnings"] == "joined_recordings"


def test_an_ending_reader_ends_it_quietly(bundle, clips):
    read, written = os.pipe()
    os.close(read)
    command = "from service.cli import app; app()"
    done = subprocess.run(
        [sys.executable, "-c", command, "predict", "--format", "csv", clips[0], "--models", bundle],
        stdout=written,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(written)
    assert done.stderr == ""
    assert done.returncode == 1


@pytest.mark.parametrize(
    "command",
    [
        "predict --format csv {clip} -o /dev/full",
        "predict --format csv {clip} > /dev/full",
        "predict --format table {clip} > /dev/full",
        "listen --file {clip} > /dev/full",
        "models > /dev/full",
        "--version > /dev/full",
        "--help > /dev/full",
        "predict --help > /dev/full",
        "verify > /dev/full",
    ],
)
def test_a_full_disk_is_said_in_one_line(bundle, clips, command):
    script = 'exec "$PYTHON" -c "from service.cli import app; app()" ' + command
    done = subprocess.run(
        ["bash", "-c", script.format(clip='"$CLIP"')],
        env={**os.environ, "PYTHON": sys.executable, "CLIP": str(clips[0])}
        | {"UNDERTONE_MODELS": str(bundle.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "undertone: No space left on device\n")


def test_without_a_stdout_a_file_is_asked_for(bundle, clips):
    script = (
        f"""exec '{sys.executable}' -c 'from service.cli import app; app()' predict "$CLIP" >&-"""
    )
    done = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "CLIP": str(clips[0]), "UNDERTONE_MODELS": str(bundle.parent)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "undertone: there is no stdout to write to; name a file with -o\n"


@pytest.mark.parametrize(
    ("form", "name"), [("csv", "out.csv"), ("csv", None), ("jsonl", "out.jsonl"), ("table", None)]
)
def test_a_name_that_is_no_utf_8_is_written_all_the_same(undertone, clips, form, name):
    odd = clips[0].with_name(os.fsdecode(b"caf\xe9.wav"))
    odd.write_bytes(clips[0].read_bytes())
    output = () if name is None else ("-o", odd.with_name(name))
    result = undertone("predict", "--format", form, odd, *output)
    assert result.exit_code == 0, result.output
    text = result.stdout if name is None else odd.with_name(name).read_text()
    assert r"caf\xe9.wav" in text.replace(r"\\", "\\")


def test_the_limits_of_the_environment_hold(undertone, clips, monkeypatch):
    monkeypatch.setenv("UNDERTONE_MAX_DURATION_S", "0.5")
    (row,) = rows(undertone("predict", clips[0]).stdout)
    assert row["code"] == "audio_too_long"
    monkeypatch.setenv("UNDERTONE_MAX_UPLOAD_BYTES", "1000")
    (row,) = rows(undertone("predict", clips[0]).stdout)
    assert row["code"] == "audio_too_large"


def test_a_folder_without_recordings_is_said_to_be_one(undertone, tmp_path):
    result = undertone("predict", tmp_path)
    assert result.exit_code == 1
    assert result.stderr == f"undertone: no recordings in {tmp_path}\n"


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.json"])
def test_a_file_is_written_as_its_name_says(undertone, clips, tmp_path, name):
    output = tmp_path / name
    result = undertone("predict", clips[0], clips[2], "-o", output)
    assert (result.exit_code, result.stdout) == (0, "")
    text = output.read_text()
    read = {"csv": rows, "jsonl": lambda text: [*map(json.loads, text.splitlines())]}
    said = read.get(name.rpartition(".")[2], json.loads)(text)
    assert [Path(each["file"]).name for each in said] == ["one.wav", "two.wav"]


@pytest.mark.parametrize("name", ["one.wav", "new.flac", "link.csv"])
@pytest.mark.parametrize("options", [(), ("--format", "csv")])
def test_a_recording_is_never_written_over(undertone, clips, name, options):
    (clips[0].parent / "link.csv").hardlink_to(clips[0])
    before = clips[0].read_bytes()
    result = undertone("predict", clips[0], clips[2], "-o", clips[0].with_name(name), *options)
    assert result.exit_code == 1
    assert "it is a recording, or is named like one" in result.stderr
    assert clips[0].read_bytes() == before
    assert not clips[0].with_name("new.flac").exists()


@pytest.mark.parametrize("name", ["out.xlsx", "out"])
def test_a_format_that_nothing_says_is_asked_for(undertone, clips, tmp_path, name):
    result = undertone("predict", clips[0], "-o", tmp_path / name)
    assert result.exit_code == 1
    assert "ends in none of .csv, .json, .jsonl" in result.stderr
    assert not (tmp_path / name).exists()
    assert undertone("predict", clips[0], "-o", tmp_path / name, "--format", "csv").exit_code == 0
    assert rows((tmp_path / name).read_text())[0]["file"] == str(clips[0])


def test_where_nothing_can_be_written_is_said_before_anything_is_heard(undertone, clips, tmp_path):
    result = undertone("predict", clips[0], "-o", tmp_path / "none" / "out.csv")
    assert result.exit_code == 1
    assert result.stderr.startswith("undertone: cannot write ")
    assert result.stderr.count("\n") == 1


def test_the_command_line_and_the_service_agree(undertone, client, hello):
    said = json.loads(undertone("predict", "--format", "jsonl", hello).stdout)
    reply = client.post("/predict", files={"file": hello.read_bytes()}).json()
    assert set(said) == set(reply) - {"request_id"} | {"file"}
    assert said["probabilities"] == reply["probabilities"]


def test_csv_holds_what_the_service_answers(undertone, client, folder):
    """Must show 6: asked by hand, over HTTP, with a model in the process and with ``--url``."""
    for options in ((), ("--url", client.base_url)):
        said = rows(undertone("predict", *options, folder).stdout)
        assert len(said) == 3
        for row in said:
            response = client.post("/predict", content=Path(row["file"]).read_bytes())
            reply = response.json()
            if not response.is_success:
                assert (row["code"], row["problem"]) == (reply["code"], reply["detail"])
                continue
            assert row["label"] == reply["label"]
            for each in reply["probabilities"]:
                assert float(row[each["label"]]) == pytest.approx(each["score"], abs=1e-6)
            assert row["sentiment"] == reply["sentiment"]["label"]
            assert float(row["duration_s"]) == reply["audio"]["duration_s"]
            assert {"name": row["model"], "version": row["version"]} == reply["model"]


def test_csv_of_segments_holds_what_the_service_answers(undertone, client, folder):
    for options in ((), ("--url", client.base_url)):
        said = rows(undertone("predict", "--segments", *options, folder).stdout)
        for name in ("b.WAV", "monday/a.wav"):
            data = (folder / name).read_bytes()
            reply = client.post("/predict", content=data, params={"segments": "true"}).json()
            mine = [row for row in said if row["file"] == str(folder / name)]
            assert len(mine) == len(reply["segments"])
            for row, segment in zip(mine, reply["segments"], strict=True):
                assert (float(row["start"]), float(row["end"])) == (
                    segment["start"],
                    segment["end"],
                )
                assert row["label"] == (segment["label"] or "")
                assert row["reason"] == (segment["reason"] or "")
                for each in segment["probabilities"] or ():
                    assert float(row[each["label"]]) == pytest.approx(each["score"], abs=1e-6)


def test_json_lines_of_segments_are_the_replies_of_the_service(undertone, client, hello):
    options = ("--segments", "--format", "jsonl")
    here = json.loads(undertone("predict", *options, hello).stdout)
    there = json.loads(undertone("predict", *options, "--url", client.base_url, hello).stdout)
    reply = client.post("/predict", content=hello.read_bytes(), params={"segments": "true"}).json()
    for said in (here, there):
        assert said["segments"] == reply["segments"]
        assert set(said) == set(reply) - {"request_id"} | {"file"}


def test_a_table_of_segments_has_a_row_for_each(undertone, hello):
    result = undertone("predict", "--segments", "--format", "table", hello)
    assert result.stdout.count("hello.wav") == 1
    assert "0.0 s" in result.stdout
    assert "3.1 s" in result.stdout


def test_an_unknown_model_of_a_service_is_said_in_one_line(undertone, client, clips):
    result = undertone("predict", "--url", client.base_url, "--model", "hal-9000", clips[0])
    assert result.exit_code == 1
    assert (
        result.stderr == "undertone: There is no model 'hal-9000'; known are undertone-ravdess-2.\n"
    )


@pytest.mark.parametrize(
    ("url", "said"),
    [("http://127.0.0.1:9", "does not answer"), ("localhost", "is no address of a service")],
)
def test_a_service_that_is_not_there_is_said_in_one_line(undertone, clips, url, said):
    result = undertone("predict", "--url", url, clips[0])
    assert result.exit_code == 1
    assert result.stderr.startswith("undertone: ")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_what_comes_by_a_pipe_is_heard(clips):
    command = [sys.executable, "-c", "from service.cli import app; app()", "predict", "-"]
    done = subprocess.run(command, input=clips[0].read_bytes(), capture_output=True, check=True)
    (row,) = rows(done.stdout.decode())
    assert (row["file"], row["problem"]) == ("/dev/stdin", "")
    assert row["label"] in RAVDESS


@pytest.fixture
def call(tmp_path: Path, hello: Path) -> Path:
    """Two who speak, and a line on which nobody does."""
    samples, sr = soundfile.read(hello, dtype="float32")
    lines = [samples, np.zeros_like(samples), samples[::-1] / 2]
    (tmp_path / "call.wav").write_bytes(wav.encode(np.stack(lines, axis=1), sr))
    return tmp_path / "call.wav"


@pytest.mark.parametrize("over_http", [False, True])
def test_channels_are_rows(undertone, client, call, hello, over_http):
    options = ["--split-channels", *(["--url", client.base_url] if over_http else [])]
    result = undertone("predict", *options, "--format", "csv", call)
    assert result.exit_code == 0, result.output
    mix, first, silent, last = rows(result.stdout)
    assert [row["channel"] for row in (mix, first, silent, last)] == ["mix", "1", "2", "3"]
    (alone,) = rows(undertone("predict", "--format", "csv", hello).stdout)
    assert float(first["score"]) == pytest.approx(float(alone["score"]), abs=1e-4)
    assert (silent["label"], silent["code"]) == ("", "no_speech")
    assert silent["problem"]
    assert last["label"] in RAVDESS

    result = undertone("predict", *options, "--segments", "--format", "csv", call)
    found = rows(result.stdout)
    assert {row["channel"] for row in found if row["label"]} == {"mix", "1", "3"}
    assert [row["code"] for row in found if row["channel"] == "2"] == ["no_speech"]

    said = json.loads(undertone("predict", *options, "--format", "jsonl", call).stdout)
    asked = client.post(
        "/predict", files={"file": call.read_bytes()}, params={"channels": "split"}
    ).json()
    assert [each["label"] for each in said["channels"]] == [
        each["label"] for each in asked["channels"]
    ]
    assert said["channels"][1] == asked["channels"][1]

    table = undertone("predict", *options, "--format", "table", call).stdout
    assert "channel" in table
    assert "mix" in table
    assert "✗" in table


def test_without_the_option_nothing_is_said_of_channels(undertone, call):
    (row,) = rows(undertone("predict", "--format", "csv", call).stdout)
    assert "channel" not in row
    assert "channels" not in json.loads(undertone("predict", "--format", "jsonl", call).stdout)
