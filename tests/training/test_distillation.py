"""What teachers know is learnt, and nobody teaches who heard other clips."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.training.test_network import SMALL, corpus
from training import recipe
from training.fit import fit, logits
from training.task import Run


def run(*settings, fold="1", seed=0):
    chosen = recipe.load(
        "ravdess-conv-blstm",
        ["members=2", "schedule.keep='last'", "distillation.teachers=3", *settings],
    )
    return Run(chosen, seed, None, Path("runs"), None, "r", "unseen", fold)


def test_what_a_teacher_says_is_learnt_where_labels_say_otherwise():
    settings = [*SMALL["ravdess-conv-blstm"], "augmentation.variants=0", "schedule.epochs=6"]
    settings += ["schedule.keep='last'", "schedule.batch_size=4", "schedule.learning_rate=0.02"]
    chosen = recipe.load("ravdess-conv-blstm", settings)
    training = corpus(chosen)
    n_emotions = len(chosen.emotions)
    inputs = keras.Input(training.plain.shape[1:])
    # Whatever it hears, it is sure of the last emotion.
    sure = keras.layers.Dense(n_emotions, kernel_initializer="zeros")
    teacher = keras.Model(inputs, sure(keras.layers.GlobalAveragePooling1D()(inputs)))
    sure.bias.assign(np.where(np.arange(n_emotions) == n_emotions - 1, 20.0, 0.0))
    how = recipe.Distillation(teachers=1, share=0.95)
    taught = chosen.model_copy(update={"distillation": how})
    told = fit(taught, training, training, 0, teacher=teacher).model
    alone = fit(chosen, training, training, 0).model
    assert (logits(told, training.plain).argmax(1) == n_emotions - 1).all()
    assert not (logits(alone, training.plain).argmax(1) == n_emotions - 1).all()


def test_teachers_come_first_and_heard_the_same_clips():
    first, second, third, fourth = run("retrain=true").stages
    assert [each.teacher for each in (*first, *second)] == [True] * 3 + [False] * 2
    assert not any(each.whole for each in (*first, *second))
    assert all(each.whole for each in (*third, *fourth))
    for member in second:
        assert member.teachers == first
    for member in fourth:
        assert member.teachers == third
    assert run("distillation.teachers=0", "retrain=true").stages[0] == ()
    assert all(each.teachers == () for each in first)


def test_no_two_networks_of_a_fold_share_a_seed_or_a_folder():
    networks = [each for seed in range(3) for each in run(seed=seed).networks]
    assert len({each.seed for each in networks}) == len(networks) == 15
    one = run("retrain=true").networks
    assert len({each.folder for each in one}) == len(one) == 10


def test_only_who_learns_takes_the_schedule_of_learning():
    teacher, member = run().teachers[0], run().members[0]
    assert teacher.trained_by == teacher.recipe
    assert member.trained_by.schedule.epochs == member.recipe.distillation.epochs
    assert member.trained_by.augmentation.mixup == member.recipe.distillation.mixup
    alone = replace(member, run=run("distillation.teachers=0"))
    assert alone.trained_by == alone.recipe


def test_seeds_without_teachers_are_what_they_were():
    alone = run("distillation.teachers=0", seed=2)
    assert [each.seed for each in alone.members] == [4, 5]


@pytest.mark.parametrize(
    "settings",
    [["distillation.share=1.0"], ["distillation.teachers=-1"], ["distillation.teachers=2"]],
    ids=["all is taught", "fewer than none", "nobody chooses a teacher's epoch for everybody"],
)
def test_what_cannot_be_learnt_is_refused(settings):
    with pytest.raises(recipe.RecipeError, match="distillation"):
        recipe.load("ravdess-conv-blstm", settings)
