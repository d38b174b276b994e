"""Which protocol a recipe is measured under, and that nobody stands on two sides of it."""

from itertools import combinations

import pytest

from training.clip import Clip
from training.errors import CorpusError, RunError
from training.protocols import protocol


def clips_of(corpus, speakers, emotions=("happy", "sad"), takes=10):
    return tuple(
        Clip(None, f"{corpus}-{who}-{emotion}-{take}", corpus, f"{corpus}/{who}", emotion, "")
        for who in speakers
        for emotion in emotions
        for take in range(takes)
    )


RAVDESS = clips_of("ravdess", [f"{actor:02d}" for actor in range(1, 25)])
TESS = clips_of("tess", ["OAF", "YAF"])
MINE = clips_of("mine", ["anna", "ben", "cleo", "dan", "eve", "finn", "gus"])


@pytest.mark.parametrize(
    ("kind", "corpora", "clips", "name", "n_folds"),
    [
        ("unseen", ["ravdess"], RAVDESS, "ravdess/emobox-6fold", 6),
        ("unseen", ["ravdess", "tess"], RAVDESS + TESS, "ravdess+tess/emobox-6fold", 6),
        ("unseen", ["tess"], TESS, "tess/speakers", 2),
        ("unseen", ["mine"], MINE, "mine/speakers", 5),
        ("unseen", ["mine"], clips_of("mine", ["anna", "ben"]), "mine/speakers", 2),
        ("unseen-5", ["ravdess"], RAVDESS, "ravdess/actors-5fold", 5),
        ("unseen-5", ["ravdess", "tess"], RAVDESS + TESS, "ravdess+tess/actors-5fold", 5),
    ],
)
def test_nobody_who_is_tested_was_heard(kind, corpora, clips, name, n_folds):
    measured = protocol(kind, corpora, clips)
    assert measured.name == name
    assert len(measured.folds) == n_folds
    tested = []
    for fold in measured.folds:
        split = measured.split(fold, 0)
        assert all((split.train, split.validation, split.test))
        assert len(split.train) + len(split.validation) + len(split.test) == len(clips)
        heard = {clip.speaker for clip in split.train + split.validation}
        assert not heard & {clip.speaker for clip in split.test}
        tested += [clip.name for clip in split.test]
    expected = [clip.name for clip in clips if clip.corpus != "tess" or corpora == ["tess"]]
    assert sorted(tested) == sorted(expected)


def test_a_random_split_is_drawn_anew_with_each_seed_and_keeps_its_sides_apart():
    measured = protocol("random", ["ravdess", "tess"], RAVDESS + TESS)
    assert measured.name == "ravdess+tess/random"
    first, second = (measured.split("random", seed) for seed in (0, 1))
    assert set(first.test) != set(second.test)
    for one, other in combinations((first.train, first.validation, first.test), 2):
        assert not set(one) & set(other)
    assert len(first.test) == len(RAVDESS + TESS) // 5


def test_a_corpus_that_does_not_say_who_speaks_has_no_unseen_speakers():
    with pytest.raises(CorpusError, match=r"mine does not say who speaks.*--protocol random"):
        protocol("unseen", ["mine"], clips_of("mine", ["unknown"]))
    assert protocol("random", ["mine"], clips_of("mine", ["unknown"])).folds == ("random",)


def test_one_person_is_not_enough():
    with pytest.raises(CorpusError, match="only one person speaks"):
        protocol("unseen", ["mine"], clips_of("mine", ["anna"]))


def test_a_fold_that_does_not_exist():
    with pytest.raises(RunError, match=r"tess/speakers has no fold 7; there are OAF, YAF"):
        protocol("unseen", ["tess"], TESS).require("7")


def test_folds_of_actors_are_of_no_other_corpus():
    with pytest.raises(RunError, match=r"unseen-5 names actors of RAVDESS; tess has none of them"):
        protocol("unseen-5", ["tess"], TESS)


def test_a_protocol_says_how_many_train():
    assert "trained on the other 16;" in protocol("unseen", ["ravdess"], RAVDESS).description
    assert (
        "trained on the other 14 or 15;" in protocol("unseen-5", ["ravdess"], RAVDESS).description
    )
