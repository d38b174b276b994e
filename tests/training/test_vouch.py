"""What is measured of a model after it was shipped joins it, and what lies beside it is laid out again."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from tests.support.commands import settings, undertone_train
from tests.support.ravdess import voice
from training import predictions
from undertone.bundle import open_bundle
from undertone.wav import encode


@pytest.mark.slow
def test_a_model_is_vouched_for_by_what_was_measured_later(trained, tmp_path):
    root, _ = trained
    shutil.copytree(root / "models", tmp_path / "models")
    before = open_bundle(tmp_path / "models" / "undertone-ravdess")
    where = ["--data", root / "data", "--out", tmp_path]
    command = ["vouch", "ravdess-conv-blstm", *where, "--models", tmp_path / "models"]
    assert "nothing finished there" in undertone_train(*command, *settings(), check=False).stderr

    random = ["--protocol", "random", *settings()]
    undertone_train("crossval", "ravdess-conv-blstm", *where, *random, counted=False)
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

    runs = shutil.copytree(root / "runs", tmp_path / "runs")
    where = ["--data", root / "data", "--out", runs]
    again = [*command[:2], *where, *command[-2:], *settings()]
    undertone_train("robustness", "ravdess-conv-blstm", *where, *settings(), counted=False)
    report = runs / "ravdess-conv-blstm" / "robustness" / "robustness.json"
    whole = report.read_text()
    some = json.loads(whole)
    report.write_text(json.dumps({**some, "losses": some["losses"][:2]}))
    assert "holds 2 of 14 conditions" in undertone_train(*again, check=False).stderr
    report.write_text(whole)
    undertone_train(*again)
    assert "| silence around it, 0.5 s |" in new.read_text()
    assert "nothing finished there" in undertone_train(*again, check=False).stderr
    open_bundle(new.parent)

    data = shutil.copytree(root / "data", tmp_path / "data")
    again = [*again, "--data", data]
    for number, emotion in enumerate(("happy", "sad") * 3):
        clip = data / "elsewhere" / emotion / f"speaker-{number // 2}" / "clip.wav"
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
    assert "knows the speakers of ravdess: --on is for those it never heard" in refused
    refused = undertone_train(*again, "--on", "ravdess-song", check=False).stderr
    assert "knows the speakers of ravdess-song" in refused

    other = undertone_train(*command, *settings(), "--set", "network.lstm=7", check=False)
    assert "was made by another recipe" in other.stderr


def _as_if_another_seed_had_answered(run, seed):
    """Beside a finished run, one whose every answer is what that said of the emotion before."""
    other = shutil.copytree(run, run.parent / f"{run.name.rsplit('-', 1)[0]}-{seed}")
    for name in ("test.csv", "validation.csv"):
        table = predictions.read(other / name)
        rolled = np.roll(table.probabilities, 1, axis=1)
        predictions.write(
            other / name,
            replace(table, seed=np.full_like(table.seed, seed), probabilities=rolled),
        )
    done = json.loads((other / "done.json").read_text())
    (other / "done.json").write_text(json.dumps({**done, "seed": seed}))


@pytest.mark.slow
def test_a_seed_that_was_run_later_joins_the_figures(trained, tmp_path):
    root, _ = trained
    shutil.copytree(root / "models", tmp_path / "models")
    path = tmp_path / "models" / "undertone-ravdess"
    runs = shutil.copytree(root / "runs", tmp_path / "runs") / "ravdess-conv-blstm" / "unseen"
    for run in sorted(runs.glob("fold-*-seed-0")):
        _as_if_another_seed_had_answered(run, 1)
    where = ["--data", root / "data", "--out", tmp_path / "runs", *settings()]
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
    shutil.rmtree(runs / "fold-3-seed-0")
    _as_if_another_seed_had_answered(runs / "fold-3-seed-1", 0)
    assert "other runs with seed 0" in undertone_train(*command, check=False).stderr


@pytest.mark.slow
def test_the_runs_behind_a_model_are_laid_out_again_and_make_the_same_model(trained, tmp_path):
    root, printed = trained
    where = ["--out", tmp_path / "runs", *settings()]
    command = ["restore", "ravdess-conv-blstm", "--models", root / "models", *where]
    assert len(undertone_train(*command).stdout.split()) == 6
    assert undertone_train(*command).stdout == ""
    where = ["--data", root / "data", *where]
    again = undertone_train("crossval", "ravdess-conv-blstm", *where, counted=False).stdout
    assert again.splitlines()[:20] == printed.splitlines()[:20]

    fit = ["fit", "ravdess-conv-blstm", "--models", tmp_path / "models"]
    undertone_train(*fit, *where, counted=False)
    first, second = (
        open_bundle(folder / "models" / "undertone-ravdess").manifest for folder in (root, tmp_path)
    )
    assert first.metrics == second.metrics
    assert first.calibration.temperature == pytest.approx(second.calibration.temperature, abs=1e-4)
    evidence = "crossval/predictions.csv"
    assert first.files[evidence] == second.files[evidence]
