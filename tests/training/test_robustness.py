"""What a model loses under worse conditions is what its predictions say."""

import json
import shlex
import shutil

import numpy as np
import pytest

from tests.support.commands import settings, undertone_train
from training import predictions


@pytest.mark.slow
def test_what_worse_conditions_cost_is_computed_from_what_is_written(trained, tmp_path):
    root, _ = trained
    runs = shutil.copytree(root / "runs", tmp_path / "runs") / "ravdess-conv-blstm"
    where = ["--data", root / "data", "--out", runs.parent, *settings()]
    command = ["robustness", "ravdess-conv-blstm", *where, "--condition"]
    folder = runs / "robustness"
    undertone_train(*command, "20 dB s")
    _, measured_before = json.loads((folder / "robustness.json").read_text())["losses"]
    printed = undertone_train(*command, "silence", counted=False).stdout
    report = json.loads((folder / "robustness.json").read_text())
    asked = ["--condition", "20 dB softer", "--condition", "silence around it, 0.5 s"]
    words = ["ravdess-conv-blstm", "--seed", "0", *asked, *settings()]
    assert shlex.split(report["command"])[2:] == words
    plain, softer, silent = report["losses"]
    assert [each["condition"] for each in (plain, softer, silent)] == [
        "as recorded",
        "20 dB softer",
        "silence around it, 0.5 s",
    ]
    table = predictions.read(folder / "00.csv")
    measured = predictions.read(runs / "unseen" / "predictions.csv")
    assert table.file == measured.file
    np.testing.assert_allclose(table.probabilities, measured.probabilities, atol=1e-5)
    right = predictions.read(folder / "12.csv").probabilities.argmax(1) == table.truth
    assert silent["accuracy"] == pytest.approx(np.mean(right))
    assert softer["cost"] == pytest.approx(0, abs=0.01), "it levels what it hears"
    assert f"{silent['uar']:.3f}" in printed
    assert measured_before.pop("condition") == softer.pop("condition")
    assert softer == pytest.approx(measured_before, abs=1e-6), "it stays as it was measured"
    assert "no condition 'rain'" in undertone_train(*command, "rain", check=False).stderr
