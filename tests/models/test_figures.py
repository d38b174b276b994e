"""No figure stands alone: everything that a shipped model claims follows from committed predictions."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from training import abstain, predictions, recipe, robustness, screen, ship
from training.calibrate import HEARD
from training.conditions import CONDITIONS, PLAIN
from training.crossval import EVIDENCE, PREDICTIONS, VALIDATION
from training.errors import RunError
from training.evaluate import evaluate, uar_of
from training.restore import restore
from training.splits import EMOBOX, FIVE
from training.task import is_recipe
from training.vouch import vouch
from undertone.bundle import find, open_bundle
from undertone.spec import Centre

MODELS = Path(__file__).resolve().parents[2] / "models"
BUNDLES = [open_bundle(path) for path in find(MODELS)]

each_bundle = pytest.mark.parametrize("bundle", BUNDLES, ids=lambda bundle: bundle.manifest.name)


def read(bundle, name=PREDICTIONS, kind="unseen"):
    return predictions.read(bundle.path / EVIDENCE[kind] / name)


def kinds(bundle):
    return [kind for kind, folder in EVIDENCE.items() if (bundle.path / folder).is_dir()]


def those(chosen, what):
    """The bundles that are ``chosen``, as parameters; a skip that says so where there is none yet."""
    none = pytest.param(None, id="none", marks=pytest.mark.skip(f"no model in models/ {what} yet"))
    return [
        pytest.param(bundle, id=bundle.manifest.name)
        for bundle, is_chosen in zip(BUNDLES, chosen, strict=True)
        if is_chosen
    ] or [none]


def test_there_is_a_model_with_figures():
    assert [bundle for bundle in BUNDLES if bundle.manifest.metrics]


@each_bundle
def test_every_metric_is_recomputed(bundle):
    for claimed in bundle.manifest.metrics.values():
        table = predictions.read(bundle.path / claimed.predictions)
        again = evaluate(
            table, protocol=claimed.protocol, command=claimed.command, file=claimed.predictions
        )
        assert_same(again.model_dump(), claimed.model_dump())


def fitted_on(bundle):
    """The validation clips that temperature and threshold came of."""
    table = read(bundle, VALIDATION)
    seeds = bundle.manifest.calibration.seeds or table.seeds
    return table.where(np.isin(table.seed, seeds))


@each_bundle
def test_the_calibration_is_recomputed(bundle):
    heard = HEARD in bundle.manifest.calibration.fitted_on
    again = ship.calibrate(fitted_on(bundle), heard=heard)
    claimed = bundle.manifest.calibration
    assert_same(again.model_dump(), {**claimed.model_dump(), "seeds": again.seeds})


@each_bundle
def test_the_threshold_for_doubt_is_recomputed(bundle):
    claimed = bundle.manifest.abstention_threshold
    if HEARD in bundle.manifest.calibration.fitted_on:
        assert claimed is None
        return
    if claimed is None:
        pytest.skip(f"{bundle.manifest.name} was made before models knew doubt")
    assert claimed == pytest.approx(abstain.threshold(fitted_on(bundle)), abs=1e-6)
    first = read(bundle).of_seed(read(bundle).seeds[0])
    curve = abstain.risk_coverage(first.truth, first.probabilities)
    card = (bundle.path / "README.md").read_text()
    assert f"{curve.at(abstain.COVERAGE):.3f} are heard rightly" in card
    kept = sum(first.probabilities.max(axis=1) >= claimed)
    assert f"{kept / len(first.truth):.1%} reach it, and {curve.accuracy[kept - 1]:.3f} of" in card


TESTED = {
    "ravdess/emobox-6fold": ({str(fold): actors for fold, actors in EMOBOX.items()}, 1440),
    "ravdess/actors-5fold": ({str(fold): actors for fold, actors in FIVE.items()}, 1440),
    "ravdess+tess/emobox-6fold": ({str(fold): actors for fold, actors in EMOBOX.items()}, 1440),
    "tess/speakers": ({"OAF": ("OAF",), "YAF": ("YAF",)}, 2800),
}


@each_bundle
def test_every_clip_is_predicted_once_by_a_model_that_never_heard_its_speaker(bundle):
    for kind in set(kinds(bundle)) - {"random"}:
        every_clip_is_predicted_once(bundle, kind)


def every_clip_is_predicted_once(bundle, kind):
    table = read(bundle, kind=kind)
    folds, n_clips = TESTED[table.protocol[0]]
    for seed in table.seeds:
        rows = table.of_seed(seed)
        assert len(set(rows.file)) == len(rows) == n_clips
        for fold, people in folds.items():
            tested = set(rows.of_fold(fold).speaker)
            assert {name.split("/")[1] for name in tested} == {
                f"{person:02d}" if isinstance(person, int) else person for person in people
            }
            validated = read(bundle, VALIDATION, kind).of_seed(seed).of_fold(fold)
            assert validated.speaker
            assert not set(validated.speaker) & tested


@each_bundle
def test_a_random_split_tests_a_fifth_and_validates_on_none_of_it(bundle):
    if "random" not in kinds(bundle):
        pytest.skip(f"{bundle.manifest.name} was not measured on a random split")
    table = read(bundle, kind="random")
    for seed in table.seeds:
        tested, validated = table.of_seed(seed), read(bundle, VALIDATION, "random").of_seed(seed)
        assert not set(tested.file) & set(validated.file)
        assert len(set(tested.file)) == len(tested)
        assert 2.4 < len(tested) / len(validated) < 2.6


@each_bundle
def test_the_card_says_what_the_manifest_says(bundle):
    card = (bundle.path / "README.md").read_text()
    for name, metrics in bundle.manifest.metrics.items():
        values = (metrics.uar, metrics.accuracy, metrics.macro_f1, *(metrics.uar_ci95 or ()))
        if name.endswith("/random"):  # told as one figure over all seeds
            values = [np.mean(metrics.accuracy_per_seed)]
            if len(metrics.seeds) > 1:
                values.append(np.std(metrics.accuracy_per_seed, ddof=1))
        for value in values:
            assert f"{value:.3f}" in card
    for word in ("Not for", "AI Act", bundle.manifest.revision, bundle.manifest.licence):
        assert word in card


@pytest.mark.recordings
@each_bundle
def test_the_card_is_what_is_written_of_the_evidence_beside_it(bundle, recordings, tmp_path):
    """Whatever differs, in one figure or one word, is news to `vouch`."""
    learnt = recipe.load(bundle.manifest.recipe)
    models = tmp_path / "models"
    shutil.copytree(bundle.path, models / bundle.path.name)
    restore(learnt, tmp_path / "runs", models)
    with pytest.raises(RunError, match="nothing finished there"):
        vouch(learnt, recordings, tmp_path / "runs", models)


@pytest.mark.parametrize(
    "bundle",
    those([(bundle.path / robustness.FOLDER).is_dir() for bundle in BUNDLES], "was tried so"),
)
def test_what_worse_conditions_cost_is_recomputed(bundle):
    folder = bundle.path / robustness.FOLDER
    report = json.loads((folder / robustness.REPORT).read_text())
    tables = {
        condition: predictions.read(folder / f"{number:02}.csv")
        for number, condition in enumerate(CONDITIONS)
    }
    for again, claimed in zip(robustness.losses(tables), report["losses"], strict=True):
        assert_same(asdict(again), claimed)
    measured = read(bundle).of_seed(report["seed"])
    plain = tables[PLAIN]
    assert plain.file == measured.file
    np.testing.assert_allclose(plain.probabilities, measured.probabilities, atol=1e-4)


def recipe_of(bundle):
    return recipe.Recipe.model_validate_json((bundle.path / "crossval" / "recipe.json").read_text())


@pytest.mark.parametrize(
    "bundle",
    those([bool(recipe_of(bundle).screened) for bundle in BUNDLES], "is of a screened recipe"),
)
def test_who_chose_the_settings_is_told_apart_and_the_log_is_there(bundle):
    kept = recipe_of(bundle)
    asked = {
        speaker
        for fold in kept.screened
        for speaker in read(bundle, VALIDATION).of_fold(fold).speaker
    }
    table = read(bundle)
    apart = table.where(np.array([speaker not in asked for speaker in table.speaker]))
    uar = np.mean([uar_of(apart.of_seed(seed)) for seed in apart.seeds])
    assert f"**{uar:.3f}" in (bundle.path / "README.md").read_text()
    assert {trial.fold for trial in screen.read(bundle.path / ship.LOG)} == set(kept.screened)


@each_bundle
def test_the_runs_were_made_by_one_recipe_and_the_card_names_all_code(bundle):
    card = (bundle.path / "README.md").read_text()
    revisions = set(read(bundle).revision)
    assert len(revisions) == 1 or all(f"`{revision}`" in card for revision in revisions)
    for kind in kinds(bundle):
        kept = json.loads((bundle.path / EVIDENCE[kind] / "recipe.json").read_text())
        assert is_recipe(kept, recipe_of(bundle))
        runs = json.loads((bundle.path / EVIDENCE[kind] / "runs.json").read_text())
        table = read(bundle, kind=kind)
        assert {(str(run["fold"]), run["seed"]) for run in runs} == {
            (fold, seed) for fold in table.folds for seed in table.seeds
        }
        assert {run["revision"] for run in runs} == set(table.revision)


CENTRED = [Centre() in bundle.manifest.spec.preprocess for bundle in BUNDLES]


@pytest.mark.parametrize("bundle", those(CENTRED, "takes no offset away"))
def test_a_model_that_takes_an_offset_away_since_it_was_trained_says_so(bundle):
    learnt = recipe_of(bundle)
    assert Centre() not in learnt.spec.preprocess
    assert bundle.manifest.spec.preprocess == (Centre(), *learnt.spec.preprocess)
    assert "an offset of the sound is taken away" in (bundle.path / "README.md").read_text()
    assert ship.served(recipe.load(learnt.name)) == bundle.manifest.spec


def assert_same(again, claimed):
    """Equal, but for what the last bit of another processor's arithmetic does."""
    assert again.keys() == claimed.keys()
    for key, value in claimed.items():
        if isinstance(value, dict):
            assert_same(again[key], value)
        elif isinstance(value, float):
            assert again[key] == pytest.approx(value, abs=1e-6), key
        elif isinstance(value, list | tuple) and value and not isinstance(value[0], str):
            np.testing.assert_allclose(again[key], value, atol=1e-6, err_msg=key)
        else:
            assert again[key] == value, key
