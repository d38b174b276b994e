"""A corpus of one's own: folders or a table, and words for what is wrong with it."""

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
        ("path,emotion,speaker\n", "holds no WAV or FLAC file in a folder of its emotion"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path, table, message):
    write(tmp_path / "mine" / "a.wav")
    (tmp_path / "mine" / "clips.csv").write_text(table)
    with pytest.raises(CorpusError, match=message):
        corpora.read("mine", tmp_path)


def test_a_folder_that_is_no_emotion(tmp_path):
    write(tmp_path / "mine" / "loud" / "1.wav")
    with pytest.raises(CorpusError, match=r"1\.wav: 'loud' is no emotion known here"):
        corpora.read("mine", tmp_path)


def test_a_corpus_that_is_not_there(tmp_path):
    with pytest.raises(CorpusError, match=r"no corpus 'mine' is known.*known are ravdess"):
        corpora.read("mine", tmp_path)
