"""The whole path, through the command: recordings in, a bundle that answers out."""

import json
import shlex
import shutil

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
from undertone.wav import encode


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
def test_what_is_finished_is_not_run_again(trained):
    root, printed = trained
    folder = root / "runs" / "ravdess-conv-blstm" / "unseen"
    before = {path: path.stat().st_mtime_ns for path in folder.glob("fold-*/done.json")}
    where = ["--data", root / "data", "--out", root / "runs"]
    again = undertone_train("crossval", "ravdess-conv-blstm", *where, *settings()).stdout
    assert again == printed
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
def test_a_bundle_is_tried_on_a_corpus(trained):
    root, _ = trained
    report = root / "trial"
    where = ["--data", root / "data", "--models", root / "models", "--report", report]
    printed = undertone_train("evaluate", "undertone-ravdess", "ravdess", *where).stdout
    page = (report / "report.md").read_text()
    assert "so this is no test" in page
    table = predictions.read(report / "predictions.csv")
    assert len(table) == 24 * 8
    assert f"accuracy {np.mean(table.probabilities.argmax(1) == table.truth):.3f}" in printed


@pytest.mark.slow
def test_results_are_written_from_the_manifests(trained):
    root, _ = trained
    undertone_train("results", "--models", root / "models", "--out", root / "results.md")
    (row,) = [
        line for line in (root / "results.md").read_text().splitlines() if "| RAVDESS |" in line
    ]
    manifest = read_manifest(root / "models" / "undertone-ravdess")
    metrics = manifest.metrics["ravdess/emobox-6fold"]
    assert f"| not measured | {metrics.accuracy:.3f} | **{metrics.uar:.3f}** |" in row


@pytest.mark.slow
def test_a_model_is_vouched_for_by_what_was_measured_later(trained, tmp_path):
    root, _ = trained
    shutil.copytree(root / "models", tmp_path / "models")
    before = open_bundle(tmp_path / "models" / "undertone-ravdess")
    where = ["--data", root / "data", "--out", tmp_path]
    command = ["vouch", "ravdess-conv-blstm", *where, "--models", tmp_path / "models"]
    assert "nothing finished there" in undertone_train(*command, *settings(), check=False).stderr

    random = ["--protocol", "random", *settings()]
    undertone_train("crossval", "ravdess-conv-blstm", *where, *random)
    undertone_train(*command, *settings())
    after = open_bundle(before.path)
    table = predictions.read(after.path / "random" / "predictions.csv")
    metrics = after.manifest.metrics["ravdess/random"]
    assert metrics.accuracy == pytest.approx(np.mean(table.probabilities.argmax(1) == table.truth))
    assert (
        after.manifest.model_copy(
            update={name: getattr(before.manifest, name) for name in ("metrics", "files", "digest")}
        )
        == before.manifest
    )
    for name, digest in before.manifest.files.items():
        assert (after.manifest.files[name] == digest) is (name != "README.md"), name
    old, new = ((root / "models" / "undertone-ravdess" / "README.md"), after.path / "README.md")
    missing = [line for line in old.read_text().splitlines() if line not in new.read_text()]
    assert missing == []
    assert f"Accuracy **{metrics.accuracy:.3f}** on a random fifth" in new.read_text()

    where = ["--data", root / "data", "--out", root / "runs"]
    again = [*command[:2], *where, *command[-2:], *settings()]
    undertone_train("robustness", "ravdess-conv-blstm", *where, *settings(), "--condition", "sil")
    assert "holds 2 of 14 conditions" in undertone_train(*again, check=False).stderr
    undertone_train("robustness", "ravdess-conv-blstm", *where, *settings())
    undertone_train(*again)
    assert "| silence around it, 0.5 s |" in new.read_text()
    assert "nothing finished there" in undertone_train(*again, check=False).stderr
    open_bundle(new.parent)

    for number, emotion in enumerate(("happy", "sad") * 3):
        clip = root / "data" / "elsewhere" / emotion / f"speaker-{number // 2}" / "clip.wav"
        clip.parent.mkdir(parents=True)
        clip.write_bytes(encode(voice(number, 0.6, seed=number), 16_000))
    undertone_train(*again, "--on", "elsewhere")
    vouched = open_bundle(new.parent)
    metrics = vouched.manifest.metrics["elsewhere/all"]
    table = predictions.read(vouched.path / "elsewhere" / "elsewhere.csv")
    assert metrics.n_clips == len(table) == 6
    assert metrics.accuracy == pytest.approx(np.mean(table.probabilities.argmax(1) == table.truth))
    assert (
        f"| how sure it is: mean of the highest probability | {table.probabilities.max(1).mean():.3f}"
        in (new.read_text())
    )
    refused = undertone_train(*again, "--on", "ravdess", check=False).stderr
    assert "learnt from ravdess: --on is for corpora that it never heard" in refused

    other = undertone_train(*command, *settings(), "--set", "network.lstm=7", check=False)
    assert "was made by another recipe" in other.stderr


@pytest.mark.slow
def test_a_seed_that_was_run_later_joins_the_figures(trained, tmp_path):
    root, _ = trained
    shutil.copytree(root / "models", tmp_path / "models")
    path = tmp_path / "models" / "undertone-ravdess"
    shutil.copytree(root / "runs", tmp_path / "runs")
    where = ["--data", root / "data", "--out", tmp_path / "runs", *settings()]
    undertone_train("crossval", "ravdess-conv-blstm", *where, "--seed", "1")
    before = open_bundle(path)
    command = ["vouch", "ravdess-conv-blstm", *where, "--models", tmp_path / "models"]
    undertone_train(*command)

    after = open_bundle(path)
    old, new = (each.manifest.metrics["ravdess/emobox-6fold"] for each in (before, after))
    assert (old.seeds, new.seeds) == ((0,), (0, 1))
    assert new.uar_per_seed[:1] == (new.uar,) == old.uar_per_seed
    assert new.fold_uar_sd is not None
    assert predictions.read(path / "crossval" / "predictions.csv").seeds == (0, 1)
    assert len(json.loads((path / "crossval" / "runs.json").read_text())) == 2 * 6
    assert (
        after.manifest.files["saved_model/saved_model.pb"]
        == (before.manifest.files["saved_model/saved_model.pb"])
    )
    assert after.manifest.calibration == before.manifest.calibration
    assert "| SD over seeds of one fold's UAR |" in (path / "README.md").read_text()
    assert "nothing finished there" in undertone_train(*command, check=False).stderr

    # Not what the model came of, though the recipe is the same.
    shutil.copytree(root / "models", tmp_path / "models", dirs_exist_ok=True)
    seeds = [tmp_path / "runs/ravdess-conv-blstm/unseen" / f"fold-3-seed-{n}" for n in (0, 1)]
    shutil.copyfile(seeds[1] / "test.csv", seeds[0] / "test.csv")
    rewritten = (seeds[0] / "test.csv").read_text().replace(",3,1,", ",3,0,")
    (seeds[0] / "test.csv").write_text(rewritten)
    assert "other runs with seed 0" in undertone_train(*command, check=False).stderr


@pytest.mark.slow
def test_the_runs_behind_a_model_are_laid_out_again_and_make_the_same_model(trained, tmp_path):
    root, printed = trained
    where = ["--out", tmp_path / "runs", *settings()]
    command = ["restore", "ravdess-conv-blstm", "--models", root / "models", *where]
    assert len(undertone_train(*command).stdout.split()) == 6
    assert undertone_train(*command).stdout == ""
    where = ["--data", root / "data", *where]
    again = undertone_train("crossval", "ravdess-conv-blstm", *where).stdout
    assert again.splitlines()[:20] == printed.splitlines()[:20]

    undertone_train("fit", "ravdess-conv-blstm", "--models", tmp_path / "models", *where)
    first, second = (
        open_bundle(folder / "models" / "undertone-ravdess").manifest for folder in (root, tmp_path)
    )
    assert first.metrics == second.metrics
    assert first.calibration.temperature == pytest.approx(second.calibration.temperature, abs=1e-4)
    evidence = "crossval/predictions.csv"
    assert first.files[evidence] == second.files[evidence]


@pytest.mark.slow
def test_what_worse_conditions_cost_is_computed_from_what_is_written(trained):
    root, _ = trained
    where = ["--data", root / "data", "--out", root / "runs", *settings()]
    command = ["robustness", "ravdess-conv-blstm", *where, "--condition"]
    printed = undertone_train(*command, "silence", "--condition", "20 dB s").stdout
    folder = root / "runs" / "ravdess-conv-blstm" / "robustness"
    report = json.loads((folder / "robustness.json").read_text())
    assert shlex.split(report["command"])[2:] == ["ravdess-conv-blstm", "--seed", "0", *settings()]
    plain, softer, silent = report["losses"]
    assert [each["condition"] for each in (plain, softer, silent)] == [
        "as recorded",
        "20 dB softer",
        "silence around it, 0.5 s",
    ]
    table = predictions.read(folder / "00.csv")
    measured = predictions.read(root / "runs" / "ravdess-conv-blstm" / "unseen" / "predictions.csv")
    assert table.file == measured.file
    np.testing.assert_allclose(table.probabilities, measured.probabilities, atol=1e-5)
    right = predictions.read(folder / "12.csv").probabilities.argmax(1) == table.truth
    assert silent["accuracy"] == pytest.approx(np.mean(right))
    assert softer["cost"] == pytest.approx(0, abs=0.01), "it levels what it hears"
    assert f"{silent['uar']:.3f}" in printed
    assert "no condition 'rain'" in undertone_train(*command, "rain", check=False).stderr


@pytest.mark.slow
def test_the_same_seed_gives_the_same_network(trained, tmp_path):
    root, _ = trained
    where = ["--data", root / "data", "--out", tmp_path, "--fold", "3"]
    undertone_train("crossval", "ravdess-conv-blstm", *where, *settings())
    run = "ravdess-conv-blstm/unseen/fold-3-seed-0"
    first, again = (folder / run for folder in (root / "runs", tmp_path))
    for name in ("history.csv", "test.csv", "validation.csv"):
        assert (first / name).read_text() == (again / name).read_text()


@pytest.mark.slow
def test_a_changed_card_is_noticed(trained):
    root, _ = trained
    path = root / "models" / "undertone-ravdess"
    card = path / "README.md"
    text = card.read_text()
    try:
        card.write_text(text.replace("UAR", "accuracy"))
        with pytest.raises(undertone.BundleError, match=r"README\.md is not the file"):
            open_bundle(path)
    finally:
        card.write_text(text)


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


def test_recipes_are_listed():
    assert "ravdess-conv-blstm" in undertone_train("recipes").stdout


@pytest.mark.slow
def test_members_are_trained_anew_on_validation_speakers_who_have_had_their_say(trained):
    root, _ = trained
    where = ["--data", root / "data", "--out", root / "anew", "--fold", "1", *settings()]
    undertone_train("crossval", "ravdess-conv-blstm", *where, "--set", "retrain=true")
    once, anew = (
        root / name / "ravdess-conv-blstm" / "unseen" / "fold-1-seed-0" for name in ("runs", "anew")
    )
    first, again = (
        json.loads((anew / name / "done.json").read_text())
        for name in ("member-0", "member-0-anew")
    )
    assert again["epochs"] == first["best_epoch"]
    assert again["validation_uar"] is None
    # Validation is of the first networks, so it is what it was; the test is of those that came after.
    one, other = (predictions.read(folder / "validation.csv") for folder in (once, anew))
    np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)
    one, other = (predictions.read(folder / "test.csv") for folder in (once, anew))
    assert one.file == other.file
    assert not np.allclose(one.probabilities, other.probabilities, atol=1e-4)
    metrics = json.loads((anew.parent / "metrics.json").read_text())
    assert "trained once more with the validation clips" in metrics["protocol"]


@pytest.mark.slow
def test_teachers_are_trained_before_those_who_learn_from_them(trained, tmp_path):
    root, _ = trained
    where = ["--data", root / "data", "--out", tmp_path, "--fold", "1", *settings()]
    how = ("schedule.keep='last'", "distillation.teachers=1", "distillation.epochs=3")
    sets = [word for each in how for word in ("--set", each)]
    undertone_train("crossval", "ravdess-conv-blstm", *where, *sets)
    run = tmp_path / "ravdess-conv-blstm" / "unseen" / "fold-1-seed-0"
    epochs = {
        name: len(history.read(run / name / "history.csv")[0]) for name in ("teacher-0", "member-0")
    }
    assert epochs == {"teacher-0": 2, "member-0": 3}
    done = [json.loads((run / name / "done.json").read_text()) for name in epochs]
    assert done[0]["seed"] != done[1]["seed"]
    metrics = json.loads((run.parent / "metrics.json").read_text())
    assert "learnt from 1 that were trained before it on the same clips" in metrics["protocol"]
