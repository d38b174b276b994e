"""What is exported is the network that was trained, its temperature inside, and runs anywhere."""

import numpy as np
import pytest
from keras import ops

import undertone
from tests.support.bundles import TEMPERATURE, tiny_network, tiny_recipe
from training import export, ship
from training.calibrate import softmax
from training.errors import RunError
from training.recipe import load
from undertone.saved_model import graph_operations


def test_the_temperature_is_inside_the_graph(exported):
    recipe = tiny_recipe()
    features = np.random.default_rng(1).normal(-40, 20, (5, recipe.spec.frames, recipe.spec.width))
    logits = ops.convert_to_numpy(tiny_network(recipe)(features.astype(np.float32)))
    model = undertone.load(exported)
    expected = softmax(logits, TEMPERATURE)
    np.testing.assert_allclose(model.engine.infer(features.astype(np.float32)), expected, atol=1e-6)


def test_the_graph_holds_no_operation_of_a_gpu_library(exported):
    operations = graph_operations(exported / "saved_model")
    assert "Conv2D" in operations
    assert not [name for name in operations if "Cudnn" in name]


def test_a_graph_that_holds_one_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "graph_operations", lambda _: frozenset({"CudnnRNNV3"}))
    with pytest.raises(RunError, match="the graph holds CudnnRNNV3"):
        export.write_saved_model(tiny_network(tiny_recipe()), 1.0, tmp_path / "model")


@pytest.mark.parametrize("name", ["happy/anna/1.wav", "notes.txt"])
def test_what_is_no_bundle_is_never_replaced(tmp_path, name):
    precious = tmp_path / "mine" / name
    precious.parent.mkdir(parents=True)
    precious.write_bytes(b"recorded")
    from tests.support.bundles import build_bundle

    with pytest.raises(RunError, match="is no model, and would be written over"):
        build_bundle(tmp_path / "mine")
    assert precious.read_bytes() == b"recorded"


def test_a_place_that_is_taken_is_refused_before_anything_is_trained(tmp_path):
    precious = tmp_path / "models" / "undertone-ravdess" / "1.wav"
    precious.parent.mkdir(parents=True)
    precious.write_bytes(b"recorded")
    chosen = load("ravdess-conv-blstm")
    with pytest.raises(RunError, match="is no model, and would be written over"):
        ship.ship(chosen, tmp_path, tmp_path, tmp_path / "models", log=tmp_path / "log.csv")


def test_a_bundle_that_was_begun_is_replaced(tmp_path):
    from tests.support.bundles import build_bundle

    (tmp_path / "half" / "saved_model").mkdir(parents=True)
    build_bundle(tmp_path / "half")
    undertone.load(tmp_path / "half")


def test_a_bundle_that_stood_there_is_replaced(bundle_copy):
    (bundle_copy / "left over").write_text("x")
    from tests.support.bundles import build_bundle

    bundle = build_bundle(bundle_copy)
    assert not (bundle_copy / "left over").exists()
    assert "left over" not in bundle.manifest.files
    undertone.load(bundle_copy)
