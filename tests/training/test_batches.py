"""What a batch holds, and how often."""

from itertools import islice

import numpy as np
import pytest

from training import recipe
from training.batches import batches, steps_an_epoch
from training.dataset import Dataset

PLAIN = [
    "emotions=['happy', 'sad', 'angry']",
    "augmentation.masks=0",
    "augmentation.shift=0",
    "augmentation.mixup=0.0",
    "schedule.batch_size=8",
]


def dataset(chosen, truth, first=0):
    """Clips that say their own number in every value."""
    truth = np.asarray(truth)
    numbers = np.arange(first, first + len(truth), dtype=np.float32)
    shape = (len(truth), 2, chosen.spec.frames, chosen.spec.width)
    features = np.broadcast_to(numbers[:, None, None, None], shape).copy()
    return Dataset((), features, truth)


def heard(chosen, own, others, n):
    feed = batches(chosen, own, others, np.random.default_rng(0))
    found = list(islice(feed, n))
    return [features[:, 0, 0] for features, _ in found], [targets for _, targets in found]


def test_an_epoch_is_every_clip_once():
    chosen = recipe.load("ravdess-conv-blstm", PLAIN)
    own = dataset(chosen, [0, 1, 2, 0] * 4)
    assert steps_an_epoch(chosen, own, None) == 2
    numbers, targets = heard(chosen, own, None, 2)
    assert sorted(np.concatenate(numbers)) == list(range(16))
    for clips, rows in zip(numbers, targets, strict=True):
        np.testing.assert_array_equal(rows.argmax(axis=1), own.truth[clips.astype(int)])


def test_auxiliary_clips_have_their_share_of_each_batch():
    chosen = recipe.load(
        "ravdess-conv-blstm",
        [*PLAIN, "auxiliary.corpora=['tess']", "auxiliary.share=0.25"],
    )
    own, others = dataset(chosen, [0, 1, 2] * 4), dataset(chosen, [1, 2] * 50, first=1000)
    assert steps_an_epoch(chosen, own, others) == 2
    numbers, _ = heard(chosen, own, others, 2)
    assert [len(clips) for clips in numbers] == [8, 8]
    assert [(clips >= 1000).sum() for clips in numbers] == [2, 2]
    mine = np.concatenate(numbers)
    assert sorted(mine[mine < 1000]) == list(range(12))


@pytest.mark.parametrize("balance", [True, False])
def test_balanced_every_emotion_comes_as_often(balance):
    chosen = recipe.load("ravdess-conv-blstm", [*PLAIN, f"schedule.balance={str(balance).lower()}"])
    own = dataset(chosen, [0] * 60 + [1] * 30 + [2] * 6)
    _, targets = heard(chosen, own, None, 200)
    share = np.concatenate(targets).mean(axis=0)
    expected = [1 / 3] * 3 if balance else [60 / 96, 30 / 96, 6 / 96]
    np.testing.assert_allclose(share, expected, atol=0.05)
