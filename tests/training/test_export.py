"""What is exported is the network that was trained, its temperature inside, and runs anywhere."""

import numpy as np
import pytest
from keras import ops

import undertone
from tests.support.bundles import TEMPERATURE, tiny_network, tiny_recipe
from training import export
from training.calibrate import softmax
from training.errors import RunError
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


def test_a_bundle_that_stood_there_is_replaced(bundle_copy):
    (bundle_copy / "left over").write_text("x")
    from tests.support.bundles import build_bundle

    bundle = build_bundle(bundle_copy)
    assert not (bundle_copy / "left over").exists()
    assert "left over" not in bundle.manifest.files
    undertone.load(bundle_copy)
