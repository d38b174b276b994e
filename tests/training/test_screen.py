"""Changes to a recipe, tried by what validation speakers say, and never by test speakers."""

import csv
import json

import pytest

from tests.support.commands import TINY, undertone_train
from tests.support.ravdess import voice, write_ravdess
from training import corpora, recipe, screen, splits
from training.errors import RecipeError
from training.splits import EMOBOX
from training.task import Run, auxiliary_clips, split_of
from undertone.wav import encode

TAUGHT = ["schedule.keep='last'", "distillation.teachers=1", "distillation.epochs=2"]
PLAN = f"""
recipe = "ravdess-conv-blstm"
settings = {TINY!r}
folds = ["1"]
changes = [
    {{ name = "base", settings = ["auxiliary.corpora=['ravdess-song']"] }},
    {{ name = "long", settings = ["schedule.epochs=3", "schedule.keep='last'", "schedule.ema=0.9"] }},
    {{ name = "taught", settings = {TAUGHT!r} }},
]
"""


def write_song(root):
    """Two emotions sung by everybody."""
    for actor in range(1, 25):
        folder = root / f"Actor_{actor:02d}"
        folder.mkdir(parents=True)
        for emotion in (3, 4):
            path = folder / f"03-02-{emotion:02d}-01-01-01-{actor:02d}.wav"
            path.write_bytes(encode(voice(emotion, 7.0, seed=actor * 100 + emotion), 16_000))


@pytest.mark.slow
def test_a_plan_is_trained_logged_and_ranked_without_test_speakers(tmp_path):
    write_ravdess(tmp_path / "data" / "ravdess")
    write_song(tmp_path / "data" / "ravdess-song")  # longer than a clip of speech may be
    # Whoever is tested is not even read: their clips are no sound at all.
    for actor in EMOBOX[1]:
        for clip in (tmp_path / "data").glob(f"*/Actor_{actor:02d}/*"):
            clip.write_bytes(b"nothing")
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN)
    log = tmp_path / "log.csv"
    where = ["--data", tmp_path / "data", "--out", tmp_path / "runs", "--log", log]
    printed = undertone_train("screen", plan, *where).stdout
    rows = list(csv.DictReader(log.read_text().splitlines()))
    assert [(row["change"], row["seed"]) for row in rows] == [
        ("base", "0"),
        ("long", "0"),
        ("taught", "0"),
    ]
    (run,) = (tmp_path / "runs").glob("screen/*/*/teacher-0")
    costs = [json.loads(path.read_text())["cpu_seconds"] for path in run.parent.glob("*/done.json")]
    assert float(rows[2]["cpu_seconds"]) == pytest.approx(sum(costs), abs=0.1)
    assert [row["kept_epoch"] for row in rows if row["change"] == "long"] == ["3"]
    assert all(float(row["cpu_seconds"]) > 0 for row in rows)
    assert "base" in printed
    assert "long" in printed
    before = log.read_text()
    assert undertone_train("screen", plan, *where).stdout == printed
    assert log.read_text() == before
    assert undertone_train("leaderboard", "--log", log).stdout == printed


@pytest.mark.slow
def test_voices_that_are_known_are_tried_by_what_a_random_split_does_not_test(tmp_path):
    write_ravdess(tmp_path / "data" / "ravdess")
    clips = corpora.read("ravdess", tmp_path / "data")
    split = splits.within(clips, 0, 2, 5)
    for clip in split.test:
        clip.path.write_bytes(b"nothing")
    plan, log = tmp_path / "plan.toml", tmp_path / "log.csv"
    plan.write_text(
        f"recipe = 'ravdess-conv-blstm'\nprotocol = 'within-random'\nfolds = ['random-2']\n"
        f"settings = {TINY!r}\nchanges = [{{ name = 'base' }}]\n"
    )
    where = ["--data", tmp_path / "data", "--out", tmp_path / "runs", "--log", log]
    undertone_train("screen", plan, *where, counted=False)
    (row,) = screen.read(log)
    assert (row.fold, row.seed) == ("random-2", 0)
    right = row.validation_accuracy * len(split.validation)
    assert right == pytest.approx(round(right), abs=1e-3)


def trial(change, uar, fold="1"):
    return screen.Trial(
        change=change,
        recipe="r",
        settings="",
        key=change,
        fold=fold,
        seed=0,
        epochs=1,
        kept_epoch=1,
        parameters=1,
        validation_uar=uar,
        validation_accuracy=uar,
        validation_loss=1.0,
        cpu_seconds=1.0,
        revision="",
    )


def test_the_board_ranks_by_the_mean_over_folds():
    board = screen.leaderboard(
        [trial("a", 0.5), trial("b", 0.7), trial("a", 0.7, fold="4"), trial("b", 0.4, fold="4")]
    )
    assert [(standing.change, round(standing.uar, 3)) for standing in board] == [
        ("a", 0.6),
        ("b", 0.55),
    ]


def test_of_networks_that_were_tried_again_the_last_counts():
    board = screen.leaderboard([trial("a", 0.5), trial("b", 0.7), trial("a", 0.8)])
    assert [(standing.change, standing.uar) for standing in board] == [("a", 0.8), ("b", 0.7)]


@pytest.mark.parametrize(
    ("folds", "settings", "message"),
    [
        ('["1", "2"]', "[]", "fold 1 validates on people on whom fold 2 is tested"),
        ('["1"]', "['members=2']", "one network is tried at a time"),
    ],
)
def test_a_plan_that_would_ask_the_wrong_people(tmp_path, folds, settings, message):
    write_ravdess(tmp_path / "ravdess", seconds=0.1)
    path = tmp_path / "plan.toml"
    path.write_text(
        f"recipe = 'ravdess-conv-blstm'\nfolds = {folds}\nsettings = {settings}\n"
        "changes = [{ name = 'a' }]"
    )
    with pytest.raises(RecipeError, match=message):
        screen.screen(screen.load(path), tmp_path, tmp_path / "runs", tmp_path / "log.csv")


@pytest.mark.parametrize("name", ["tess", "mine"])
def test_whoever_validates_is_tested_in_no_other_fold_of_a_plan(tmp_path, name):
    for number, person in enumerate(("OAF", "YAF")):
        for take in "abc":
            for emotion in ("happy", "sad"):
                seed = 1000 * number + 10 * ord(take) + len(emotion)
                sound = encode(voice(3, 0.2, seed=seed), 16_000)
                tess = tmp_path / "tess" / f"{person}_{take}_{emotion}.wav"
                mine = tmp_path / "mine" / emotion / person / f"{take}{emotion}.wav"
                path = tess if name == "tess" else mine
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(sound)
    folds = ["OAF", "YAF"] if name == "tess" else ["1", "2"]
    path = tmp_path / "plan.toml"
    path.write_text(
        f"recipe = 'tess-conv-blstm'\nfolds = {folds}\nchanges = [{{ name = 'a' }}]\n"
        f"settings = ['corpora=[\"{name}\"]']"
    )
    with pytest.raises(RecipeError, match=r"validates on people on whom fold .* is tested"):
        screen.screen(screen.load(path), tmp_path, tmp_path / "runs", tmp_path / "log.csv")


def test_another_feature_is_another_network():
    spec = "spec.features=[{{ kind = 'log_mel' }}, {{ kind = '{}' }}]"
    keys = {
        screen.key(recipe.load("ravdess-conv-blstm", [spec.format(kind)]))
        for kind in ("rms", "zcr", "mfcc", "chroma")
    }
    assert len(keys) == 4
    base = recipe.load("ravdess-conv-blstm")
    assert screen.key(base) == screen.key(recipe.load("ravdess-conv-blstm", ['version="9"']))


def test_no_log_is_an_empty_one(tmp_path):
    assert screen.read(tmp_path / "none.csv") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recipe = 3", "recipe: Input should be a valid string"),
        ("recipe = 'x'\nchanges = []", "changes: .* at least 1 item"),
        ("recipe = ", "not TOML"),
        ("recipe = 'x'\nchanges = [{name = 'a'}, {name = 'a'}]", "changes are not all different"),
        (
            "recipe = 'x'\nprotocol = 'random'\nchanges = [{name = 'a'}]",
            "random has the folds random and, here, one seed",
        ),
        (
            "recipe = 'x'\nprotocol = 'random'\nfolds = ['random']\nseeds = [0, 1]\n"
            "changes = [{name = 'a'}]",
            "one seed: another's validates",
        ),
        (
            "recipe = 'x'\nprotocol = 'within-random'\nfolds = ['random']\nchanges = [{name = 'a'}]",
            "within-random has the folds random-1, random-2",
        ),
    ],
)
def test_what_is_no_plan_is_said_to_be_none(tmp_path, text, message):
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=message):
        screen.load(path)


def test_a_plan_that_is_not_there(tmp_path):
    with pytest.raises(RecipeError, match="no plan at"):
        screen.load(tmp_path / "plan.toml")


def test_whoever_is_held_out_does_not_sing_in_training(tmp_path):
    write_ravdess(tmp_path / "ravdess", seconds=0.1)
    write_song(tmp_path / "ravdess-song")
    chosen = recipe.load("ravdess-conv-blstm", [*TINY, "auxiliary.corpora=['ravdess-song']"])
    for fold in ("1", "4"):
        run = Run(chosen, 0, tmp_path, tmp_path, tmp_path, "", "unseen", fold)
        split = split_of(run)
        singers = {clip.speaker for clip in auxiliary_clips(run, split)}
        assert singers == {clip.speaker for clip in split.train}
    random = Run(chosen, 0, tmp_path, tmp_path, tmp_path, "", "random", "random")
    everybody = auxiliary_clips(random, split_of(random))
    assert len(everybody) == len(corpora.read("ravdess-song", tmp_path)) == 48


def test_a_corpus_cannot_be_both():
    with pytest.raises(RecipeError, match="ravdess cannot be tested and auxiliary at once"):
        recipe.load("ravdess-conv-blstm", ["auxiliary.corpora=['ravdess']"])
