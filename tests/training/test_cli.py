"""The whole path, through the command: recordings in, a bundle that answers out."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import undertone
from tests.support.commands import TINY, settings, undertone_train
from tests.support.ravdess import voice, write_ravdess
from training import history, predictions, recipe
from training.calibrate import softmax
from training.crossval import measured
from training.evaluate import evaluate
from undertone.bundle import Metrics, open_bundle, read_golden, read_manifest


@pytest.mark.slow
def test_crossval_says_what_it_wrote(trained):
    root, printed = trained
    folder = root / "runs" / "ravdess-conv-blstm" / "unseen"
    metrics = Metrics.model_validate_json((folder / "metrics.json").read_text())
    assert f"UAR {metrics.uar:.3f}" in printed
    table = predictions.read(folder / "predictions.csv")
    assert len(table) == metrics.n_clips == 24 * 8
    assert metrics.n_speakers == 24
    assert metrics == evaluate(
        table, protocol=metrics.protocol, command=metrics.command, file=metrics.predictions
    )


@pytest.mark.slow
def test_the_fitted_bundle_opens_and_answers(trained):
    root, _ = trained
    model = undertone.load(root / "models" / "undertone-ravdess")
    prediction = model.predict(voice(5, 1.0, seed=1), sr=16_000)
    assert {emotion.label for emotion in prediction.probabilities} == set(model.manifest.emotions)
    metrics = model.manifest.metrics["ravdess/emobox-6fold"]
    card = (model.bundle.path / "README.md").read_text()
    assert f"**{metrics.uar:.3f}**" in card
    assert "forbids" in card
    for figure in ("confusion_matrix.png", "recall.png", "reliability.png"):
        assert figure in card
        assert (model.bundle.path / figure).stat().st_size > 5_000
    resolved = json.loads((model.bundle.path / "crossval" / "recipe.json").read_text())
    assert resolved == recipe.load("ravdess-conv-blstm", TINY).model_dump(mode="json")


@pytest.mark.slow
def test_the_bundle_of_a_fold_gives_the_predictions_of_its_csv(trained):
    root, _ = trained
    evidence = root / "models" / "undertone-ravdess" / "crossval"
    model = undertone.load(evidence / "fold-1")
    table = predictions.read(evidence / "predictions.csv").of_fold("1")
    for index in range(0, len(table), 7):
        actor = table.speaker[index].removeprefix("ravdess/")
        clip = root / "data" / "ravdess" / f"Actor_{actor}" / f"{table.file[index]}.wav"
        heard = {e.label: e.score for e in model.predict(clip.read_bytes()).probabilities}
        expected = table.probabilities[index]
        np.testing.assert_allclose([heard[name] for name in table.emotions], expected, atol=1e-5)


@pytest.mark.slow
def test_what_is_finished_is_not_run_again(trained, tmp_path):
    root, printed = trained
    runs = shutil.copytree(root / "runs", tmp_path / "runs")
    folder = runs / "ravdess-conv-blstm" / "unseen"
    before = {path: path.stat().st_mtime_ns for path in folder.glob("fold-*/done.json")}
    where = ["--data", root / "data", "--out", runs]
    again = undertone_train("crossval", "ravdess-conv-blstm", *where, *settings()).stdout
    assert again.splitlines()[:20] == printed.splitlines()[:20]
    assert {path: path.stat().st_mtime_ns for path in folder.glob("fold-*/done.json")} == before
    other = undertone_train(
        "crossval", "ravdess-conv-blstm", *where, "--set", "schedule.epochs=3", check=False
    )
    assert other.returncode == 1
    assert "holds a run of another recipe" in other.stderr


@pytest.mark.slow
def test_both_protocols_stand_side_by_side(trained):
    root, printed = trained
    rows = [line for line in printed.splitlines() if "unseen speakers" in line or "fifth" in line]
    metrics = Metrics.model_validate_json(
        (root / "runs" / "ravdess-conv-blstm" / "unseen" / "metrics.json").read_text()
    )
    unseen = next(row for row in rows if "unseen speakers" in row and "│" in row)
    assert f"{metrics.accuracy:.3f}" in unseen
    assert f"{metrics.uar:.3f}" in unseen
    assert "not measured" in next(row for row in rows if "a random fifth" in row)
    assert "undertone-train crossval ravdess-conv-blstm --protocol random" in printed


@pytest.mark.slow
def test_figures_of_another_recipe_do_not_stand_beside(trained):
    root, _ = trained
    assert measured(recipe.load("ravdess-conv-blstm", TINY), root / "runs").keys() == {"unseen"}
    assert not measured(recipe.load("ravdess-conv-blstm"), root / "runs")


@pytest.mark.slow
def test_every_run_has_its_report(trained):
    root, _ = trained
    run = root / "runs" / "ravdess-conv-blstm" / "unseen" / "fold-2-seed-0"
    page = (run / "report.md").read_text()
    for figure in ("loss_accuracy_plot", "confusion_matrix", "recall", "reliability"):
        assert f"({figure}.png)" in page
        assert (run / f"{figure}.png").read_bytes().startswith(b"\x89PNG")
    metrics = Metrics.model_validate_json((run / "metrics.json").read_text())
    table = predictions.read(run / "test.csv")
    assert metrics.accuracy == pytest.approx(np.mean(table.probabilities.argmax(1) == table.truth))
    assert f"**{metrics.accuracy:.3f}**" in page
    resolved = recipe.Recipe.model_validate_json((run / "recipe.json").read_text())
    assert resolved == recipe.load("ravdess-conv-blstm", TINY)
    (epochs,) = history.read(run / "history.csv")
    assert [epoch.number for epoch in epochs] == [1, 2]
    assert all(0 <= epoch.accuracy <= 1 and epoch.validation_accuracy >= 0 for epoch in epochs)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["keras", "json-h5", "savedmodel"])
def test_a_network_is_handed_on(trained, tmp_path, form):
    import keras
    import tensorflow

    root, _ = trained
    run = root / "runs" / "ravdess-conv-blstm" / "unseen" / "fold-1-seed-0"
    undertone_train("export", run, "--format", form, "--out", tmp_path)
    golden = read_golden(open_bundle(run / "bundle"))
    temperature = read_manifest(run / "bundle").calibration.temperature
    if form == "savedmodel":
        call = tensorflow.saved_model.load(str(tmp_path / "saved_model")).signatures["serve"]
        heard = call(features=tensorflow.constant(golden.features))["probabilities"].numpy()
    else:
        if form == "keras":
            network = keras.saving.load_model(tmp_path / "model.keras")
        else:
            network = keras.models.model_from_json((tmp_path / "model.json").read_text())
            network.load_weights(tmp_path / "model.weights.h5")
        heard = softmax(keras.ops.convert_to_numpy(network(golden.features)), temperature)
    np.testing.assert_allclose(heard, golden.probabilities, atol=1e-5)


@pytest.mark.slow
def test_a_bundle_is_tried_on_a_corpus(trained, tmp_path):
    root, _ = trained
    report = tmp_path / "trial"
    where = ["--data", root / "data", "--models", root / "models", "--report", report]
    printed = undertone_train("evaluate", "undertone-ravdess", "ravdess", *where).stdout
    page = (report / "report.md").read_text()
    assert "so this is no test" in page
    table = predictions.read(report / "predictions.csv")
    assert len(table) == 24 * 8
    assert f"accuracy {np.mean(table.probabilities.argmax(1) == table.truth):.3f}" in printed


@pytest.mark.slow
def test_results_are_written_from_the_manifests(trained, tmp_path):
    root, _ = trained
    page = tmp_path / "results.md"
    undertone_train("results", "--models", root / "models", "--out", page)
    (row,) = [line for line in page.read_text().splitlines() if "| RAVDESS |" in line]
    manifest = read_manifest(root / "models" / "undertone-ravdess")
    metrics = manifest.metrics["ravdess/emobox-6fold"]
    assert f"| not measured | {metrics.accuracy:.3f} | **{metrics.uar:.3f}** |" in row


@pytest.mark.slow
def test_a_changed_card_is_noticed(trained, tmp_path):
    root, _ = trained
    path = shutil.copytree(root / "models" / "undertone-ravdess", tmp_path / "copy")
    open_bundle(path)
    card = path / "README.md"
    card.write_text(card.read_text().replace("UAR", "accuracy"))
    with pytest.raises(undertone.BundleError, match=r"README\.md is not the file"):
        open_bundle(path)


def test_fit_needs_a_finished_crossval(tmp_path):
    write_ravdess(tmp_path / "ravdess", [1])
    done = undertone_train(
        "fit", "ravdess-conv-blstm", "--data", tmp_path, "--out", tmp_path / "runs", check=False
    )
    assert done.returncode == 1
    assert "run `undertone-train crossval` first" in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_recordings_are_one_line(tmp_path):
    done = undertone_train("crossval", "ravdess-conv-blstm", "--data", tmp_path, check=False)
    assert done.returncode == 1
    assert "undertone-train download ravdess" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["crossval", "features"])
def test_what_only_screen_asks_is_not_offered(command, tmp_path):
    where = ["--data", tmp_path, "--out", tmp_path / "x.npz", "--protocol", "within-random"]
    done = undertone_train(command, "ravdess-conv-blstm", *where, check=False)
    assert done.returncode == 2
    assert "'within-random' is not one of" in done.stderr


def test_what_the_file_system_refuses_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    page = tmp_path / "file" / "results.md"
    models = Path(__file__).resolve().parents[2] / "models"
    done = undertone_train("results", "--models", models, "--out", page, check=False)
    assert done.returncode == 1
    assert "error: " in done.stderr
    assert "Traceback" not in done.stderr


def test_recipes_are_listed():
    assert "ravdess-conv-blstm" in undertone_train("recipes").stdout
