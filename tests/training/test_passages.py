"""What a card says beyond its figures: computed by hand here, from predictions that are easy to count."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.support.evidence import EMOTIONS, evidence
from training import passages, recipe
from training.crossval import Crossval
from training.evaluate import evaluate
from training.predictions import concatenate
from training.splits import EMOBOX

PLAIN = recipe.load("ravdess-conv-blstm")


def test_those_who_chose_the_settings_are_told_apart():
    chosen = recipe.load("ravdess-conv-blstm", ["screened=['1', '4']"])
    of_folds_2_and_5 = {4, 10, 12, 14, 2, 15, 16, 18}
    found = evidence(lambda number: number in of_folds_2_and_5)
    assert passages.untouched(chosen, found) == (("2", "5"), ("1", "3", "4", "6"))
    text = passages.apart(chosen, found)
    assert "tested in folds 2 and 5" in text
    assert "Over the other folds alone (1, 3, 4 and 6)" in text
    assert "**0.500** and the ECE 0.400" in text


def test_it_says_so_where_every_fold_has_somebody_who_chose():
    everybody = recipe.load("ravdess-conv-blstm", [f"screened={list('123456')}"])
    assert "No fold is without them" in passages.apart(everybody, evidence(lambda _: True))


def test_nothing_is_told_apart_where_nobody_chose():
    assert passages.apart(recipe.load("ravdess-conv-blstm"), evidence(lambda _: True)) == ""


def test_it_says_how_much_people_differ():
    text = passages.voices(evidence(lambda number: number % 2 == 0 or number > 20))
    assert "Of 24 speakers (seed 0)" in text
    assert "lowest for 10 of them (0.500)" in text
    assert "highest for 14 of them (1.000)" in text
    assert "clips of women, 1.000 are heard rightly" in text
    assert f"clips of men, {(10 * 0.5 + 2) / 12:.3f} are heard rightly" in text


def test_speakers_who_are_heard_equally_well_are_named_together():
    text = passages.voices(evidence(lambda number: number not in (3, 5)))
    assert "lowest for `ravdess/03` and `ravdess/05` (0.500)" in text


def test_of_a_few_speakers_nothing_is_said_one_by_one():
    found = evidence(lambda _: True)
    few = found.test.where(np.array([name < "ravdess/05" for name in found.test.speaker]))
    metrics = evaluate(few, protocol="", command="", file="")
    assert passages.voices(Crossval(None, EMOTIONS, found.protocol, metrics, few, few)) == ""


def test_five_folds_stand_beside():
    assert passages.five_folds(PLAIN, None) == ""
    text = passages.five_folds(PLAIN, evidence(lambda number: number > 12, "unseen-5"))
    assert "5 folds by actor as in Luna-Jiménez" in text
    assert "**0.750**" in text
    assert "chose the settings" not in text


def test_what_worse_conditions_cost(tmp_path):
    assert passages.conditions(PLAIN, tmp_path) == ""
    (tmp_path / "robustness").mkdir()
    loss = {
        "condition": "a train",
        "uar": 0.5,
        "cost": 0.125,
        "accuracy": 0.25,
        "ece": 0.0625,
        "refused": 0.1,
    }
    report = {"command": "undertone-train robustness it", "seed": 3, "losses": [loss]}
    (tmp_path / "robustness" / "robustness.json").write_text(json.dumps(report))
    text = passages.conditions(PLAIN, tmp_path)
    assert "| a train | 0.500 | 0.125 | 0.250 | 0.062 | 10.0% |" in text
    assert "seed 3: `undertone-train robustness it`" in text
    assert "Copies of training clips stood in noise: it knows" in text

    def told(*overrides):
        return passages.conditions(recipe.load("ravdess-conv-blstm", overrides), tmp_path)

    assert "Copies" not in told("augmentation.variants=1")
    rooms = ("augmentation.room=0.2", "augmentation.telephone=0.1")
    assert "clips stood in noise, came from such rooms and came by telephone" in told(*rooms)
    assert "clips stood in babble: it knows" in told("augmentation.babble=1.0")


def test_folds_say_how_far_seeds_differ():
    once = evidence(lambda number: number in EMOBOX[3])
    assert passages.folds(once).splitlines()[:2] == [
        "| fold | UAR of its test speakers, seed 0 |",
        "| --- | --- |",
    ]
    assert "| 3 | 1.000 |" in passages.folds(once)
    other = evidence(lambda _: False, seed=1)
    table = concatenate([once.test, other.test])
    metrics = evaluate(table, protocol="", command="", file="")
    text = passages.folds(replace(once, test=table, metrics=metrics))
    assert text.splitlines()[1] == "| --- | --- | --- |"
    assert "| 3 | 1.000 | 0.750 ± 0.354 |" in text
    assert "| 4 | 0.500 | 0.500 ± 0.000 |" in text


@pytest.mark.parametrize(
    ("speaker", "expected"),
    [("ravdess/01", "men"), ("ravdess/24", "women"), ("tess/OAF", "women"), ("mine/anna", None)],
)
def test_corpora_say_who_is_a_woman(speaker, expected):
    from training.corpora import sex

    assert sex(speaker) == expected
