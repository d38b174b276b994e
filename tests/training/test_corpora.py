"""Reading RAVDESS and TESS from the layouts that people have them in."""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from training.clip import Clip
from training.corpora import audio_hash, read, read_ravdess, read_ravdess_song, read_tess
from training.errors import CorpusError
from undertone import emotions


def write(path: Path, *, seed: int = 0) -> Path:
    """160 samples of noise at ``path``, 16-bit, in the format of its suffix."""
    samples = np.random.default_rng(seed).integers(-(2**15), 2**15, 160, dtype=np.int16)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, 16_000, format=path.suffix[1:].upper())
    return path


class TestRavdess:
    def test_everything_that_a_name_says(self, tmp_path: Path) -> None:
        path = write(tmp_path / "Actor_12" / "03-01-06-02-02-01-12.wav")
        assert read_ravdess(tmp_path) == (
            Clip(
                path=path,
                name="03-01-06-02-02-01-12",
                corpus="ravdess",
                speaker="ravdess/12",
                emotion="fearful",
                statement="Dogs are sitting by the door",
                intensity="strong",
                repetition=1,
            ),
        )

    def test_emotion_codes(self, tmp_path: Path) -> None:
        for code in range(1, 9):
            write(tmp_path / f"03-01-{code:02d}-01-01-01-01.flac", seed=code)
        assert tuple(clip.emotion for clip in read_ravdess(tmp_path)) == emotions.RAVDESS

    @pytest.mark.parametrize(
        "layout",
        [
            "Actor_01/{}.wav",
            "{}.FLAC",
            "ravdess/Actor_01/{}.flac",
            "ravdess/{}.WAV",
            "audio_speech_actors_01-24/Actor_01/{}.wav",
        ],
    )
    def test_layouts(self, tmp_path: Path, layout: str) -> None:
        write(tmp_path / layout.format("03-01-01-01-01-01-01"))
        assert [clip.name for clip in read_ravdess(tmp_path)] == ["03-01-01-01-01-01-01"]

    def test_order_is_by_name_whatever_the_folders(self, tmp_path: Path) -> None:
        names = ["03-01-02-01-01-01-01", "03-01-01-01-01-01-02", "03-01-01-01-01-01-01"]
        for folder, name in zip("abc", names, strict=True):
            write(tmp_path / folder / f"{name}.wav")
        assert [clip.name for clip in read_ravdess(tmp_path)] == sorted(names)

    def test_song_and_speech_in_one_folder_are_told_apart(self, tmp_path: Path) -> None:
        write(tmp_path / "Actor_01" / "03-01-03-01-01-01-01.wav", seed=1)
        write(tmp_path / "Actor_01" / "03-02-03-01-01-01-01.wav", seed=2)
        (speech,) = read_ravdess(tmp_path)
        (song,) = read_ravdess_song(tmp_path)
        assert (speech.corpus, song.corpus) == ("ravdess", "ravdess-song")
        assert speech.speaker == song.speaker == "ravdess/01"

    def test_what_is_no_recording_is_ignored(self, tmp_path: Path) -> None:
        write(tmp_path / "Actor_01" / "03-01-01-01-01-01-01.wav")
        for name in ("README.md", "LICENSE.txt", ".DS_Store", "._03-01-01-01-01-01-01.wav"):
            (tmp_path / "Actor_01" / name).write_bytes(b"not a recording")
        (tmp_path / ".cache").mkdir()
        (tmp_path / ".cache" / "peaks.wav").write_bytes(b"not a recording")
        assert len(read_ravdess(tmp_path)) == 1

    @pytest.mark.parametrize(
        ("file", "message"),
        [
            ("speech.wav", "names look like 03-01-05-02-01-01-12.wav"),
            ("03-01-05-02-01-12.wav", "modality-channel-emotion-intensity-statement-repetition"),
            ("03-01-09-01-01-01-01.wav", "its emotion is '09', known are 01, 02, 03, 04, 05, 06"),
            ("01-01-05-01-01-01-01.wav", "its modality is '01', known are 03"),
            ("03-03-05-01-01-01-01.wav", "its channel is '03', known are 01, 02"),
            ("03-01-05-01-01-01-25.wav", "its actor is '25'"),
            ("03-01-05-01-01-01-1.wav", "its actor is '1'"),
            ("Actor_02/03-01-05-01-01-01-01.wav", "names actor 01 and lies in the folder of actor"),
        ],
    )
    def test_files_that_do_not_belong(self, tmp_path: Path, file: str, message: str) -> None:
        path = write(tmp_path / file)
        with pytest.raises(CorpusError) as caught:
            read_ravdess(tmp_path)
        assert message in str(caught.value)
        assert str(path) in str(caught.value)


class TestTess:
    def test_everything_that_a_name_says(self, tmp_path: Path) -> None:
        path = write(tmp_path / "YAF_pleasant_surprised" / "YAF_mood_ps.wav")
        assert read_tess(tmp_path) == (
            Clip(
                path=path,
                name="YAF_mood_ps",
                corpus="tess",
                speaker="tess/YAF",
                emotion="surprised",
                statement="Say the word mood",
            ),
        )

    @pytest.mark.parametrize(
        ("name", "speaker", "emotion"),
        [
            ("OAF_fear_happy", "tess/OAF", "happy"),
            ("YAF_sad_fear", "tess/YAF", "fearful"),
            ("OA_bite_neutral", "tess/OAF", "neutral"),
            ("OAF_fat_disgust", "tess/OAF", "disgust"),
        ],
    )
    def test_the_emotion_is_the_last_word(
        self, tmp_path: Path, name: str, speaker: str, emotion: str
    ) -> None:
        write(tmp_path / f"{name}.wav")
        (clip,) = read_tess(tmp_path)
        assert (clip.name, clip.speaker, clip.emotion) == (name, speaker, emotion)

    def test_the_mirror_that_holds_every_clip_twice(self, tmp_path: Path) -> None:
        outer = tmp_path / "TESS Toronto emotional speech set data"
        inner = outer / outer.name
        for seed, name in enumerate(("OAF_back_angry", "OAF_bar_angry")):
            write(outer / "OAF_angry" / f"{name}.wav", seed=seed)
            write(inner / "OAF_angry" / f"{name}.wav", seed=seed)
        assert [clip.path.parent for clip in read_tess(tmp_path)] == [outer / "OAF_angry"] * 2

    def test_the_same_audio_in_two_formats_is_one_clip(self, tmp_path: Path) -> None:
        write(tmp_path / "a" / "OAF_back_sad.wav")
        write(tmp_path / "b" / "OAF_back_sad.flac")
        assert len(read_tess(tmp_path)) == 1

    def test_one_name_for_two_recordings(self, tmp_path: Path) -> None:
        paths = [write(tmp_path / side / "OAF_back_sad.wav", seed=ord(side)) for side in "ab"]
        with pytest.raises(CorpusError, match="same name and are different") as caught:
            read_tess(tmp_path)
        assert all(str(path) in str(caught.value) for path in paths)

    @pytest.mark.parametrize(
        "name",
        ["OAF_back", "UAF_back_sad", "OAF_back_calm", "OAF_back_sad_2", "03-01-01-01-01-01-01"],
    )
    def test_files_that_do_not_belong(self, tmp_path: Path, name: str) -> None:
        path = write(tmp_path / f"{name}.wav")
        with pytest.raises(CorpusError, match=r"names look like OAF_back_angry\.wav") as caught:
            read_tess(tmp_path)
        assert str(path) in str(caught.value)


class TestRead:
    def test_by_name_from_a_folder_of_corpora(self, tmp_path: Path) -> None:
        write(tmp_path / "ravdess" / "03-01-01-01-01-01-01.wav")
        write(tmp_path / "ravdess-song" / "03-02-01-01-01-01-01.wav")
        write(tmp_path / "tess" / "OAF_back_sad.wav")
        for corpus in ("ravdess", "ravdess-song", "tess"):
            assert [clip.corpus for clip in read(corpus, tmp_path)] == [corpus]

    def test_an_unknown_corpus(self, tmp_path: Path) -> None:
        with pytest.raises(CorpusError, match="known are ravdess, ravdess-song, tess"):
            read("crema-d", tmp_path)

    @pytest.mark.parametrize("corpus", ["ravdess", "ravdess-song", "tess"])
    def test_nothing_there(self, tmp_path: Path, corpus: str) -> None:
        (tmp_path / "empty").mkdir()
        for root in (tmp_path / "nowhere", tmp_path / "empty"):
            with pytest.raises(CorpusError, match=f"undertone-train download {corpus}`") as caught:
                read(corpus, root)
            assert str(root) in str(caught.value)

    def test_another_corpus_is_there(self, tmp_path: Path) -> None:
        write(tmp_path / "ravdess" / "03-01-01-01-01-01-01.wav")
        with pytest.raises(CorpusError, match="there is no tess folder"):
            read("tess", tmp_path)


class TestAudioHash:
    def test_is_of_the_audio_and_not_of_the_file(self, tmp_path: Path) -> None:
        wav, flac = write(tmp_path / "a.wav"), write(tmp_path / "b.flac")
        assert wav.read_bytes() != flac.read_bytes()
        assert audio_hash(wav) == audio_hash(flac)

    def test_one_sample_makes_a_difference(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.wav")
        samples, sr = soundfile.read(path, dtype="int16")
        samples[7] += 1
        soundfile.write(tmp_path / "b.wav", samples, sr)
        assert audio_hash(path) != audio_hash(tmp_path / "b.wav")

    def test_what_cannot_be_decoded(self, tmp_path: Path) -> None:
        (tmp_path / "a.wav").write_bytes(b"not a recording")
        with pytest.raises(CorpusError, match=r"a\.wav cannot be read as audio"):
            audio_hash(tmp_path / "a.wav")


@pytest.mark.recordings
class TestRecordings:
    def test_ravdess_is_complete(self, recordings: Path) -> None:
        clips = read_ravdess(recordings)
        assert len(clips) == 1440
        assert Counter(clip.speaker for clip in clips) == {
            f"ravdess/{actor:02d}": 60 for actor in range(1, 25)
        }
        assert Counter(clip.emotion for clip in clips) == {
            emotion: 96 if emotion == "neutral" else 192 for emotion in emotions.RAVDESS
        }

    def test_ravdess_song_is_complete(self, recordings: Path) -> None:
        clips = read_ravdess_song(recordings)
        assert len(clips) == 1012
        assert len({clip.speaker for clip in clips}) == 23
        assert {clip.emotion for clip in clips} == set(emotions.RAVDESS[:6])

    def test_tess_is_complete(self, recordings: Path) -> None:
        clips = read_tess(recordings)
        assert len(clips) == 2800
        assert Counter((clip.speaker, clip.emotion) for clip in clips) == {
            (f"tess/{speaker}", emotion): 200
            for speaker in ("OAF", "YAF")
            for emotion in emotions.TESS
        }

    @pytest.mark.parametrize(("corpus", "count"), [("ravdess", 20), ("tess", 10)])
    def test_originals_as_published(self, recordings: Path, corpus: str, count: int) -> None:
        published = {clip.name: clip for clip in read(corpus, recordings / "originals")}
        assert len(published) == count
        for clip in read(corpus, recordings):
            if clip.name in published:
                original = published.pop(clip.name)
                assert (original.speaker, original.emotion) == (clip.speaker, clip.emotion)
        assert not published

    def test_a_copy_under_another_name_is_heard(self, recordings: Path, tmp_path: Path) -> None:
        clip = read_ravdess(recordings)[0]
        copy = tmp_path / "x.flac"
        shutil.copy(clip.path, copy)
        assert audio_hash(copy) == audio_hash(clip.path)
