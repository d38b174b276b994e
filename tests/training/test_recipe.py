import pytest

from training import recipe
from training.errors import RecipeError


@pytest.mark.parametrize("name", recipe.names())
def test_every_recipe_that_is_shipped_loads(name):
    loaded = recipe.load(name)
    assert loaded.name == name
    assert recipe.Recipe.model_validate_json(recipe.resolved(loaded)) == loaded


def test_a_recipe_by_path(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text((recipe.FOLDER / "ravdess-conv-blstm.toml").read_text())
    assert recipe.load(path) == recipe.load("ravdess-conv-blstm")


def test_overrides_replace_one_setting_and_leave_the_rest():
    changed = recipe.load(
        "ravdess-conv-blstm", ["schedule.epochs=2", "network.channels=[4, 4, 4]", 'version="9"']
    )
    plain = recipe.load("ravdess-conv-blstm")
    assert changed.schedule.epochs == 2
    assert changed.network.channels == (4, 4, 4)
    assert changed.version == "9"
    assert changed.schedule.learning_rate == plain.schedule.learning_rate
    assert changed.spec == plain.spec


def test_an_unknown_recipe_lists_the_known():
    with pytest.raises(RecipeError, match=r"no recipe 'nothing'.*ravdess-conv-blstm"):
        recipe.load("nothing")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("schedule.epoch=2", r"schedule\.epoch: Extra inputs are not permitted"),
        ("schedule.epochs=0", r"schedule\.epochs: Input should be greater than 0"),
        ("schedule.epochs", "cannot read the override 'schedule.epochs'"),
        ('network.kind="gru"', "network"),
    ],
)
def test_a_fault_is_named_with_its_place(override, message):
    with pytest.raises(RecipeError, match=message):
        recipe.load("ravdess-conv-blstm", [override])


def test_a_mark_in_front_of_utf_8_is_passed_over_and_other_encodings_are_refused(tmp_path):
    text = (recipe.FOLDER / "ravdess-lstm.toml").read_text()
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8-sig")
    assert recipe.load(path) == recipe.load("ravdess-lstm")
    path.write_bytes(f"{text}# Zoë".encode("cp1252"))
    with pytest.raises(RecipeError, match=r"mine\.toml: not in UTF-8: save it as UTF-8"):
        recipe.load(path)


def test_what_is_not_toml(tmp_path):
    path = tmp_path / "broken.toml"
    path.write_text("name = ")
    with pytest.raises(RecipeError, match=r"broken\.toml: not TOML"):
        recipe.load(path)
