"""Clips made of two takes."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from training import recipe
from training.batches import batches
from training.clip import Clip
from training.dataset import Dataset
from training.splice import spliced, takes_of


def clip(number, speaker="mine/anna", statement="dogs", emotion="happy"):
    return Clip(Path(f"{number}.wav"), str(number), "mine", speaker, emotion, statement)


def generator():
    return np.random.default_rng(0)


def test_takes_are_alike_in_speaker_words_and_emotion():
    takes = takes_of(
        [
            clip(0),
            clip(1, speaker="mine/ben"),
            clip(2, statement="kids"),
            clip(3, emotion="sad"),
            clip(4),
        ]
    )
    assert [group.tolist() for group in takes.alike] == [[0, 4], [1], [2], [3], [0, 4]]
    nobody = [clip(0, statement=""), clip(1, statement=""), *[clip(2, speaker="mine/unknown")] * 2]
    assert [group.tolist() for group in takes_of(nobody).alike] == [[0], [1], [2], [3]]
    assert set(takes.another(np.zeros(40, int), generator()).tolist()) == {0, 4}
    assert takes.another(np.array([1, 2, 3]), generator()).tolist() == [1, 2, 3]


def test_a_spliced_clip_begins_as_itself_and_ends_as_the_other():
    ours, others = np.zeros((400, 10, 3), np.float32), np.ones((400, 10, 3), np.float32)
    found = spliced(ours, others, 0.25, generator())
    assert found.dtype == np.float32
    assert (found == found[..., :1]).all()  # all columns of a frame are of one clip
    assert (np.diff(found[..., 0], axis=1) >= 0).all()  # and no frame of the first follows
    assert (found[:, 0] == 0).all()
    ends = found[:, -1, 0]
    assert ends.mean() == pytest.approx(0.25, abs=0.06)
    cuts = found[ends == 1, :, 0].sum(axis=1)
    assert set(cuts.astype(int)) == set(range(1, 10))


def test_no_part_changes_nothing():
    ours = np.zeros((8, 10, 3), np.float32)
    np.testing.assert_array_equal(spliced(ours, ours + 1, 0.0, generator()), ours)


@pytest.mark.parametrize("part", [0.0, 1.0])
def test_batches_splice_as_much_as_the_recipe_says(part):
    chosen = recipe.load(
        "ravdess-conv-blstm",
        [
            "emotions=['happy', 'sad']",
            "augmentation.masks=0",
            "augmentation.shift=0",
            "augmentation.mixup=0.0",
            f"augmentation.splice={part}",
            "schedule.batch_size=8",
        ],
    )
    clips = tuple(clip(number, emotion=("happy", "sad")[number % 2]) for number in range(16))
    truth = np.array([number % 2 for number in range(16)])
    shape = (16, 2, chosen.spec.frames, chosen.spec.width)
    numbers = np.arange(16, dtype=np.float32)[:, None, None, None]
    own = Dataset(clips, np.broadcast_to(numbers, shape).copy(), truth)
    n_mixed = 0
    for features, targets in islice(batches(chosen, own, None, generator()), 10):
        # Even numbers are happy, odd ones sad, whichever clip a frame is of.
        emotions = features[..., 0] % 2
        assert (emotions == targets.argmax(axis=1)[:, None]).all()
        n_mixed += int((features[:, 0, 0] != features[:, -1, 0]).sum())
    assert (n_mixed > 60) if part else (n_mixed == 0)
