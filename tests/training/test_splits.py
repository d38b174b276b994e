"""Nobody stands on two sides: proved on the tables, on synthetic clips and on the audio itself."""

from itertools import combinations

import pytest

from training import corpora
from training.clip import Clip
from training.corpora import audio_hash
from training.errors import CorpusError
from training.splits import EMOBOX, FIVE, by_actor, random, speaker, within

EVERY_FOLD = [(folds, fold) for folds in (EMOBOX, FIVE) for fold in folds]


def clip(actor, emotion="happy", corpus="ravdess", take=1):
    name = f"{corpus}-{actor:02d}-{emotion}-{take}"
    return Clip(
        path=None,
        name=name,
        corpus=corpus,
        speaker=f"ravdess/{actor:02d}",
        emotion=emotion,
        statement="kids",
    )


@pytest.fixture
def clips():
    return tuple(
        clip(actor, emotion, take=take)
        for actor in range(1, 25)
        for emotion in ("happy", "sad")
        for take in range(5)
    )


def sides(split):
    return {"train": split.train, "validation": split.validation, "test": split.test}


def assert_disjoint(split, key):
    for (one, left), (other, right) in combinations(sides(split).items(), 2):
        shared = {key(clip) for clip in left} & {key(clip) for clip in right}
        assert not shared, f"{split.name}: {one} and {other} share {sorted(shared)[:3]}"


@pytest.mark.parametrize("folds", [EMOBOX, FIVE])
def test_every_actor_is_tested_once(folds):
    tested = [actor for actors in folds.values() for actor in actors]
    assert sorted(tested) == list(range(1, 25))


@pytest.mark.parametrize(("folds", "fold"), EVERY_FOLD)
def test_an_actor_of_a_fold_stands_on_one_side(clips, folds, fold):
    split = by_actor(clips, folds, fold)
    assert_disjoint(split, lambda clip: clip.speaker)
    assert {clip.speaker for clip in split.test} == {f"ravdess/{a:02d}" for a in folds[fold]}
    following = folds[fold % len(folds) + 1]
    assert {clip.speaker for clip in split.validation} == {f"ravdess/{a:02d}" for a in following}
    assert sum(len(side) for side in sides(split).values()) == len(clips)


def test_parts_of_what_a_random_split_does_not_test_validate_once_each(clips):
    tested = random(clips, seed=3).test
    parts = [within(clips, 3, part, 4) for part in range(1, 5)]
    for split in parts:
        assert split.test == tested
        assert_disjoint(split, lambda clip: clip.name)
        assert sum(len(side) for side in sides(split).values()) == len(clips)
        happy = sum(clip.emotion == "happy" for clip in split.validation)
        assert len(split.validation) == 48
        assert happy == 24
    validated = [clip.name for split in parts for clip in split.validation]
    assert sorted(validated) == sorted({clip.name for clip in clips} - {c.name for c in tested})
    assert within(clips, 3, 2, 4) == parts[1]


@pytest.mark.parametrize("part", [0, 5])
def test_a_part_that_does_not_exist(clips, part):
    with pytest.raises(ValueError, match=f"part {part} does not exist; there are 1 to 4"):
        within(clips, 0, part, 4)


@pytest.mark.parametrize("takes", [2, 3])
def test_of_few_clips_one_of_each_emotion_validates(takes):
    few = tuple(
        clip(actor, emotion, take=take)
        for actor in (1, 2, 3)
        for emotion in ("happy", "sad")
        for take in range(takes)
    )
    split = speaker(few, "ravdess/01")
    assert [each.emotion for each in split.validation] == ["happy", "sad"]
    assert_disjoint(split, lambda clip: clip.name)


def test_too_few_clips_are_refused_before_anybody_trains():
    two = tuple(clip(actor, "happy") for actor in (1, 2))
    with pytest.raises(CorpusError, match="no clip is left to validate: record more"):
        speaker(two, "ravdess/01")
    with pytest.raises(CorpusError, match="no clip is left to validate"):
        random(two, 0)


def test_a_fold_that_does_not_exist(clips):
    with pytest.raises(ValueError, match="fold 7 does not exist"):
        by_actor(clips, EMOBOX, 7)


def test_a_fold_without_its_actors(clips):
    with pytest.raises(CorpusError, match="needs ravdess/20, ravdess/21; their clips are missing"):
        by_actor(
            [clip for clip in clips if clip.speaker not in ("ravdess/20", "ravdess/21")], EMOBOX, 1
        )


def test_random_keeps_the_share_of_each_emotion(clips):
    split = random(clips, seed=3)
    assert_disjoint(split, lambda clip: clip.name)
    assert sum(len(side) for side in sides(split).values()) == len(clips)
    for emotion in ("happy", "sad"):
        assert sum(clip.emotion == emotion for clip in split.test) == 24
        assert sum(clip.emotion == emotion for clip in split.validation) == 10
    assert split == random(clips, seed=3)
    assert split != random(clips, seed=4)


def test_speaker_against_speakers(clips):
    split = speaker(clips, "ravdess/07")
    assert {clip.speaker for clip in split.test} == {"ravdess/07"}
    assert "ravdess/07" not in {clip.speaker for clip in split.train + split.validation}
    with pytest.raises(CorpusError, match="cannot test on tess/OAF"):
        speaker(clips, "tess/OAF")


@pytest.mark.recordings
@pytest.mark.parametrize(("folds", "fold"), EVERY_FOLD)
def test_no_recording_of_a_real_fold_stands_on_two_sides(recordings, hashes, folds, fold):
    split = by_actor(corpora.read("ravdess", recordings), folds, fold)
    assert_disjoint(split, lambda clip: clip.speaker)
    assert_disjoint(split, lambda clip: hashes[clip.path])


@pytest.fixture(scope="module")
def hashes(recordings):
    """What every recording sounds like, to the last bit."""
    return {clip.path: audio_hash(clip.path) for clip in corpora.read("ravdess", recordings)}


def test_it_is_told_whether_validation_speakers_were_heard(clips):
    assert random(clips, seed=0).validates_on_heard
    assert not by_actor(clips, EMOBOX, 1).validates_on_heard
