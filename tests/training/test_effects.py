"""Effects are found where they were put, and their error covers what chance does to rows."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from training import ablation
from training.effects import effects
from training.screen import Change, Plan, Trial

SETTINGS = ("network.lstm=7", "schedule.epochs=3", "schedule.keep='last'")
BROUGHT = (0.04, -0.02, 0.0)

PLAN = Plan(
    recipe="ravdess-conv-blstm",
    folds=("1", "4"),
    changes=[
        Change(
            name="row-" + "".join(map(str, on)),
            settings=[setting for setting, is_on in zip(SETTINGS, on, strict=True) if is_on],
        )
        for on in product((0, 1), repeat=3)
    ],
)


def brought(change):
    return sum(b for s, b in zip(SETTINGS, BROUGHT, strict=True) if s in change.settings)


def log(noise=0.0):
    chance = np.random.default_rng(0)
    trial = Trial("", "ravdess-conv-blstm", "", "", "1", 0, 9, 9, 10, 0, 0.5, 1.0, 60.0, "r")
    return [
        replace(
            trial,
            change=change.name,
            settings=" ".join(change.settings),
            key=change.name,
            fold=fold,
            validation_uar=0.6
            + (0.1 if fold == "4" else 0)
            + brought(change)
            + noise * chance.standard_normal(),
            validation_loss=1 - 10 * brought(change),
        )
        for change in PLAN.changes
        for fold in PLAN.folds
    ]


def test_effects_are_what_was_put_there_best_first():
    found = effects(PLAN, log())
    assert [each.settings for each in found] == [(SETTINGS[0],), (SETTINGS[2],), (SETTINGS[1],)]
    assert [each.uar.brought for each in found] == pytest.approx([0.04, 0.0, -0.02])
    assert [each.loss.brought for each in found] == pytest.approx([-0.4, 0.0, 0.2])
    assert found[0].uar.having == pytest.approx(0.68)
    assert found[0].uar.lacking == pytest.approx(0.64)


def test_an_error_grows_with_chance():
    assert effects(PLAN, log(0.05))[0].uar.error > 2 * effects(PLAN, log())[0].uar.error


def test_rows_that_are_not_finished_are_left_out():
    rows = [trial for trial in log() if (trial.change, trial.fold) != ("row-111", "4")]
    by_settings = {each.settings: each for each in effects(PLAN, rows)}
    assert by_settings[SETTINGS[:1]].uar.having == pytest.approx((0.69 + 0.69 + 0.67) / 3)


def test_seeds_that_the_plan_does_not_have_say_nothing():
    more = [replace(trial, seed=1, validation_uar=0.99) for trial in log()[:4]]
    assert effects(PLAN, [*log(), *more]) == effects(PLAN, log())


def test_settings_that_always_stand_together_are_one_change():
    pair = ("network.lstm=7", "network.attention=5")
    plan = Plan(
        recipe="ravdess-conv-blstm",
        changes=[
            Change(name=f"row-{number}", settings=pair if number % 2 else ()) for number in range(4)
        ],
    )
    assert effects(plan, []) == ()
    rows = [
        replace(log()[0], change=c.name, settings=" ".join(c.settings), key=c.name, fold=fold)
        for c in plan.changes
        for fold in plan.folds
    ]
    (found,) = effects(plan, rows)
    assert found.settings == pair


def test_they_stand_on_the_page():
    page = ablation.page(log(), {"three-at-once": PLAN})
    assert "## Many at once: three-at-once" in page
    assert "| `network.lstm=7` | 0.680 | 0.640 | +0.040 ± 0.008 | 0.700 | 1.100 | -0.400 ± " in page
    assert "| row-100 | **0.690** |" in page
