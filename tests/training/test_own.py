"""A corpus of one's own: folders or a table, and words for what is wrong with it."""

import os

import pytest

from tests.support.sounds import hum_wav
from training import corpora
from training.errors import CorpusError


def write(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(hum_wav(0.2))


def test_folders_of_emotions_and_speakers(tmp_path):
    for name in ("anger/anna/1.wav", "Fear/ben/deep/2.wav", "happy/3.wav", "happy/.x/4.wav"):
        write(tmp_path / "mine" / name)
    found = {clip.name: (clip.emotion, clip.speaker) for clip in corpora.read("mine", tmp_path)}
    assert found == {
        "anger/anna/1": ("angry", "mine/anna"),
        "Fear/ben/deep/2": ("fearful", "mine/ben"),
        "happy/3": ("happy", "mine/unknown"),
    }


def test_a_table(tmp_path):
    write(tmp_path / "mine" / "sounds" / "a.wav")
    write(tmp_path / "mine" / "sounds" / "b.wav")
    table = tmp_path / "mine" / "clips.csv"
    table.write_text(
        "speaker,path,emotion,note\nanna,sounds/a.wav,ps,\n,sounds/b.wav,neutral,loud\n"
    )
    found = [(clip.name, clip.emotion, clip.speaker) for clip in corpora.read("mine", tmp_path)]
    assert found == [
        ("sounds/a", "surprised", "mine/anna"),
        ("sounds/b", "neutral", "mine/unknown"),
    ]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("path,emotion\n", r"clips\.csv has no column speaker; it needs path, emotion, speaker"),
        ("path,emotion,speaker\nno.wav,sad,x\n", r"clips\.csv, line 2: there is no file .*no\.wav"),
        ("path,emotion,speaker\na.wav,bored,x\n", r"line 2: 'bored' is no emotion known here"),
        ("path,emotion,speaker\na.wav\n", r"line 2: '' is no emotion known here"),
        ("path,emotion,speaker\n,sad,x\n", r"line 2: there is no file"),
        ("path,emotion,speaker\n", "holds no WAV or FLAC file in a folder of its emotion"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path, table, message):
    write(tmp_path / "mine" / "a.wav")
    (tmp_path / "mine" / "clips.csv").write_text(table)
    with pytest.raises(CorpusError, match=message):
        corpora.read("mine", tmp_path)


def test_blanks_around_a_name_make_nobody_else_of_its_owner(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / "mine" / f"{name}.wav")
    table = tmp_path / "mine" / "clips.csv"
    table.write_text("path,emotion,speaker\r\na.wav,sad,anna\r\n b.wav ,sad , anna \r\n")
    assert {clip.speaker for clip in corpora.read("mine", tmp_path)} == {"mine/anna"}


def test_a_row_that_comes_twice_is_one_clip(tmp_path):
    write(tmp_path / "mine" / "a.wav")
    (tmp_path / "mine" / "clips.csv").write_text("path,emotion,speaker\n" + 2 * "a.wav,sad,anna\n")
    assert len(corpora.read("mine", tmp_path)) == 1


def test_two_files_of_one_name_are_refused(tmp_path):
    for suffix in ("wav", "flac"):
        write(tmp_path / "mine" / "sad" / "anna" / f"1.{suffix}")
    with pytest.raises(CorpusError, match=r"1\.flac .* and .*1\.wav .* go by one name"):
        corpora.read("mine", tmp_path)


def test_one_clip_of_two_people_is_refused(tmp_path):
    write(tmp_path / "mine" / "a.wav")
    (tmp_path / "mine" / "clips.csv").write_text(
        "path,emotion,speaker\na.wav,sad,anna\na.wav,sad,ben\n"
    )
    with pytest.raises(CorpusError, match=r"mine/anna, sad.*mine/ben, sad.*go by one name"):
        corpora.read("mine", tmp_path)


def test_a_table_of_another_encoding_is_refused(tmp_path):
    write(tmp_path / "mine" / "a.wav")
    text = "path,emotion,speaker\na.wav,sad,Zoë\n"
    (tmp_path / "mine" / "clips.csv").write_bytes(text.encode("cp1252"))
    with pytest.raises(CorpusError, match=r"clips\.csv is not in UTF-8: save it as CSV UTF-8"):
        corpora.read("mine", tmp_path)


def test_a_file_name_of_another_encoding_is_refused(tmp_path):
    write(tmp_path / "mine" / "sad" / "anna" / "1.wav")
    path = tmp_path / "mine" / "sad" / "anna" / "1.wav"
    path.rename(path.parent / os.fsdecode(b"Zo\xeb.wav"))
    with pytest.raises(CorpusError, match="is not in UTF-8: rename it"):
        corpora.read("mine", tmp_path)


def test_a_folder_that_is_no_emotion(tmp_path):
    write(tmp_path / "mine" / "loud" / "1.wav")
    with pytest.raises(CorpusError, match=r"1\.wav: 'loud' is no emotion known here"):
        corpora.read("mine", tmp_path)


def test_a_corpus_that_is_not_there(tmp_path):
    with pytest.raises(CorpusError, match=r"no corpus 'mine' is known.*known are ravdess"):
        corpora.read("mine", tmp_path)
