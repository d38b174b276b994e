"""A finished task is known by its recipe and its clips, and by nothing half written."""

from dataclasses import replace

import pytest

from tests.support.ravdess import write_ravdess
from training import recipe
from training.errors import RunError
from training.task import Run, facts_of, finish, identified, is_finished, split_of, summary

RECIPE = recipe.load("ravdess-conv-blstm")


def known(run):
    return identified(run, split_of(run))


@pytest.fixture
def run(tmp_path):
    write_ravdess(tmp_path / "data" / "ravdess")
    folder = tmp_path / "fold-1-seed-0"
    folder.mkdir()
    return known(
        Run(RECIPE, 0, tmp_path / "data", folder, tmp_path / "features", "abc", "unseen", "1")
    )


def test_the_same_clips_are_the_same_wherever_they_lie(run, tmp_path):
    (tmp_path / "data").rename(tmp_path / "moved")
    assert known(replace(run, data=tmp_path / "moved")).clips == run.clips


def test_who_stands_elsewhere_is_another_run(run):
    assert known(replace(run, fold="2")).clips != run.clips


def test_a_run_of_other_clips_is_not_taken_for_finished(run):
    finish(run, {})
    assert is_finished(run)
    (clip,) = (run.data / "ravdess" / "Actor_09").glob("03-01-03-*")
    clip.unlink()
    with pytest.raises(RunError, match="holds a run of other clips"):
        is_finished(known(run))


def test_what_was_finished_before_clips_were_noted_counts(run):
    finish(replace(run, clips=""), {})
    assert is_finished(run)


def test_what_all_runs_share_is_no_fact_of_one(run):
    finish(run, {"revision": "abc"})
    assert facts_of(run.folder) == {"seed": 0, "revision": "abc"}


def test_a_damaged_summary_says_what_to_do(run):
    finish(run, {})
    path = run.folder / "done.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(RunError, match=r"done\.json is damaged .*: remove .*fold-1-seed-0"):
        summary(run.folder)
