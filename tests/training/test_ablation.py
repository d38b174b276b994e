"""The page of what was tried says what the log says."""

from dataclasses import replace
from pathlib import Path

from training import ablation, screen

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_written_by_its_command():
    folder = ROOT / "training" / "experiments"
    trials = screen.read(folder / "experiments.csv")
    written = ablation.page(trials, screen.plans(folder))
    assert (ROOT / "docs" / "experiments.md").read_text() == written


def test_a_plan_says_how_much_of_it_was_done():
    change = screen.Change(name="narrow", settings=("members=1",))
    plan = screen.Plan(recipe="ravdess-lstm", changes=(change,))
    trials = screen.read(ROOT / "training" / "experiments" / "experiments.csv")[:1]
    done = [
        replace(trials[0], recipe=plan.recipe, change="narrow", settings="members=1", fold=fold)
        for fold in ("1", "4")
    ]
    assert "nothing; 1 of 2 networks" in ablation.page(done[:1], {"mine": plan})
    assert "nothing; all 2 networks" in ablation.page(done, {"mine": plan})


def test_voices_that_are_known_have_tables_of_their_own():
    trials = screen.read(ROOT / "training" / "experiments" / "experiments.csv")[:2]
    known = replace(trials[0], change="narrow", key="other", fold="random")
    part = replace(known, change="loud", fold="random-2")
    without, having = ablation.page(trials, {}), ablation.page([*trials, known, part], {})
    assert "## For voices that are known" not in without
    unknown, table = having.split("## For voices that are known")
    assert "narrow" not in unknown
    assert "loud" not in unknown
    few, more = table.split("### Asked of more clips")
    assert (few.count("| narrow |"), more.count("| narrow |")) == (1, 0)
    assert (few.count("| loud |"), more.count("| loud |")) == (0, 1)


def test_every_row_of_the_log_is_of_a_plan_that_lies_beside_it():
    folder = ROOT / "training" / "experiments"
    planned = {
        (change.name, " ".join([*plan.settings, *change.settings]))
        for plan in screen.plans(folder).values()
        for change in plan.changes
    }
    for trial in screen.read(folder / "experiments.csv"):
        assert (trial.change, trial.settings) in planned
