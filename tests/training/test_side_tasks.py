"""What else a network is asked while it learns: who knows the answer, and which way the gradient goes."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.training.test_network import SMALL, corpus
from training import recipe
from training.clip import Clip
from training.dataset import Dataset
from training.errors import CorpusError
from training.fit import fit, logits
from training.network import build
from training.recipe import SideTask
from training.side_tasks import classes_of, loss, targets, with_heads


def clip(number, corpus="ravdess", intensity="normal"):
    return Clip(
        path=None,
        name=str(number),
        corpus=corpus,
        speaker=f"{corpus}/{number % 3:02d}",
        emotion="happy",
        statement=f"word {number % 2}",
        intensity=intensity,
    )


CLIPS = [clip(0), clip(1, intensity="strong"), clip(2, corpus="tess", intensity=None)]


def test_who_does_not_know_the_answer_has_no_target():
    dataset = Dataset(tuple(CLIPS), np.zeros((3, 1, 1, 1), np.float32), np.zeros(3, np.int64))
    tasks = [SideTask(what="speaker"), SideTask(what="intensity"), SideTask(what="statement")]
    classes = [classes_of(task, [dataset]) for task in tasks]
    assert classes == [
        ("ravdess/00", "ravdess/01", "tess/02"),
        ("normal", "strong"),
        ("word 0", "word 1"),
    ]
    speaker, intensity, statement = targets(tasks, classes, CLIPS)
    np.testing.assert_array_equal(speaker, np.eye(3))
    np.testing.assert_array_equal(intensity, [[1, 0], [0, 1], [0, 0]])
    np.testing.assert_array_equal(statement, [[1, 0], [0, 1], [0, 0]])


def test_clips_that_do_not_differ_cannot_be_told_apart():
    dataset = Dataset((clip(0), clip(3)), np.zeros((2, 1, 1, 1), np.float32), np.zeros(2, np.int64))
    with pytest.raises(CorpusError, match="differ in no intensity"):
        classes_of(SideTask(what="intensity"), [dataset])


def asked_of(adversarial):
    """A network whose first layer alone learns, and clips that three people speak."""
    keras.utils.set_random_seed(0)
    hidden = keras.Input((4,))
    first = keras.layers.Dense(5, name="first")
    model = keras.Model(hidden, keras.layers.Dense(2, name="logits")(first(hidden)))
    task = SideTask(what="speaker", adversarial=adversarial)
    both = with_heads(model, [task], [("a", "b", "c")])
    for layer in both.layers:
        layer.trainable = layer is first
    both.compile(keras.optimizers.SGD(0.05), [loss, loss])
    x = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)
    y = np.eye(3, dtype=np.float32)[np.arange(16) % 3]
    return both, x, y


@pytest.mark.parametrize("adversarial", [False, True])
def test_an_adversary_sends_the_gradient_back_the_other_way(adversarial):
    both, x, y = asked_of(adversarial)
    of_emotion = np.zeros((16, 2), np.float32)

    def side_loss():
        return float(ops.mean(loss(y, both(x)[1])))

    before = side_loss()
    for _ in range(5):
        both.train_on_batch(x, [of_emotion, y])
    assert (side_loss() > before) == adversarial


def test_nothing_is_learnt_from_clips_without_an_answer():
    both, x, y = asked_of(adversarial=False)
    weights = both.get_weights()
    both.train_on_batch(x, [np.zeros((16, 2), np.float32), np.zeros_like(y)])
    for before, after in zip(weights, both.get_weights(), strict=True):
        np.testing.assert_array_equal(after, before)


def test_of_known_answers_the_loss_is_cross_entropy():
    _, x, y = asked_of(adversarial=False)
    logits = 3 * x[:, :3]
    expected = keras.losses.CategoricalCrossentropy(from_logits=True, reduction=None)(y, logits)
    np.testing.assert_allclose(loss(y, logits), expected, rtol=1e-5)


@pytest.mark.slow
def test_a_network_learns_with_side_tasks_and_is_handed_on_without_them():
    settings = [
        *SMALL["ravdess-conv-blstm"],
        "spec.duration_s=0.3",
        "augmentation.variants=0",
        "augmentation.time_mask=2",
        "schedule.epochs=2",
        "schedule.batch_size=8",
        "side_tasks=[{ what = 'intensity' }, { what = 'speaker', weight = 0.1, adversarial = true }]",
    ]
    chosen = recipe.load("ravdess-conv-blstm", settings)
    plain = corpus(chosen)
    clips = tuple(clip(k, intensity=[None, "normal", "strong"][k % 3]) for k in range(24))
    data = Dataset(clips, plain.features, plain.truth)
    fitted = fit(chosen, data, data, seed=1)
    assert fitted.model.output_shape == (None, 8)
    assert all(np.isfinite(epoch.loss) for epoch in fitted.history)
    alone = build(chosen.network, data.plain, 8)
    assert fitted.model.count_params() == alone.count_params()
    assert logits(fitted.model, data.plain).shape == (24, 8)
