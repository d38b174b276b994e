"""Whatever runs the network: the same answers, for any number of rows."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import undertone
from undertone.bundle import NETWORK, open_bundle, read_golden, read_manifest, seal
from undertone.engine import MAX_ROWS, open_engine
from undertone.errors import BundleMissing
from undertone.onnx_engine import OnnxEngine
from undertone.saved_model import SavedModelEngine


@pytest.fixture(scope="module")
def compiled(exported, tmp_path_factory):
    """A bundle that holds its network for ONNX Runtime, too."""
    from training.compile import compile_network

    path = tmp_path_factory.mktemp("compiled") / "bundle"
    shutil.copytree(exported, path)
    return compile_network(open_bundle(path))


def rows(bundle, n: int) -> np.ndarray:
    shape = read_golden(bundle).features.shape[1:]
    return np.random.default_rng(0).standard_normal((n, *shape), np.float32)


def test_onnx_runtime_is_taken_where_there_is_a_network_for_it(compiled, exported):
    assert isinstance(open_engine(compiled), OnnxEngine)
    assert isinstance(open_engine(open_bundle(exported)), SavedModelEngine)
    assert isinstance(undertone.load(compiled.path).engine, OnnxEngine)


def test_both_engines_give_the_same(compiled):
    features = rows(compiled, MAX_ROWS + 3)
    first, second = (
        engine.infer(features) for engine in (open_engine(compiled), SavedModelEngine(compiled))
    )
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_any_number_of_rows_is_answered_as_each_alone(compiled):
    features = rows(compiled, 21)
    engine = open_engine(compiled, threads=1)
    alone = np.concatenate([engine.infer(row[np.newaxis]) for row in features])
    for n in (2, 7, 8, 9, 16, 21):
        np.testing.assert_allclose(engine.infer(features[:n]), alone[:n], atol=1e-5)


def copied(bundle, tmp_path):
    shutil.copytree(bundle.path, tmp_path / "copy")
    return tmp_path / "copy"


def test_a_network_that_the_manifest_does_not_name_is_not_run(compiled, exported, tmp_path):
    path = copied(open_bundle(exported), tmp_path)
    shutil.copy(compiled.network, path / NETWORK)
    assert open_bundle(path).network is None


def test_one_that_does_not_load_is_told(compiled, tmp_path):
    path = copied(compiled, tmp_path)
    (path / NETWORK).write_bytes(b"something else")
    with pytest.raises(BundleMissing, match="does not load"):
        open_engine(seal(path, read_manifest(path)))


def test_one_of_another_shape_is_told(compiled, tmp_path):
    path = copied(compiled, tmp_path)
    manifest = read_manifest(path)
    other = manifest.signature.model_copy(update={"input_shape": (None, 1, 1)})
    sealed = seal(path, manifest.model_copy(update={"signature": other}))
    with pytest.raises(BundleMissing, match="undertone-train compile"):
        open_engine(sealed)


def test_onnx_runtime_tells_nobody_and_leaves_nothing(compiled, tmp_path):
    """Its telemetry keeps a file in the folder for temporary files; it is off by itself where CI is set."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    for name in ("CI", "ORT_DISABLE_TELEMETRY"):
        environment.pop(name, None)
    code = (
        f"import undertone, numpy; model = undertone.load({str(compiled.path)!r}); "
        "model.engine.infer(numpy.zeros((1, *model.manifest.signature.input_shape[1:]), 'float32'))"
    )
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert list(tmp_path.iterdir()) == []
