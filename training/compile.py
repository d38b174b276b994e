"""The network of a bundle in the format of ONNX Runtime, beside the SavedModel that it is made from."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from training.errors import RunError
from undertone.bundle import NETWORK, Bundle, read_golden, seal
from undertone.errors import BundleError
from undertone.onnx_engine import OnnxEngine

OPSET: Final = 17
TOLERANCE: Final = 1e-5
"""How far a probability may be from the SavedModel's."""


def compile_network(bundle: Bundle) -> Bundle:
    """Write ``network.onnx`` into a bundle and seal it anew; its digest changes, its answers do not.

    By `tf2onnx <https://github.com/onnx/tensorflow-onnx>`_, in a process of its own: it changes how
    TensorFlow works in the one in which it runs. It finds the LSTM in the loops that TensorFlow makes
    of one.

    Raises:
        RunError: it cannot be converted, or answers otherwise than the SavedModel.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / NETWORK
        _convert(bundle, path)
        _require_same(bundle, path)
        shutil.copyfile(path, bundle.path / NETWORK)
    return seal(bundle.path, bundle.manifest)


def _convert(bundle: Bundle, path: Path) -> None:
    command = [
        *(sys.executable, "-m", "tf2onnx.convert"),
        *("--saved-model", str(bundle.saved_model), "--tag", "serve"),
        *("--signature_def", bundle.manifest.signature.name),
        *("--opset", str(OPSET), "--output", str(path)),
    ]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=quiet)  # noqa: S603
    if done.returncode or not path.is_file():
        last = (done.stderr.strip().splitlines() or ["tf2onnx said nothing"])[-1]
        raise RunError(f"{bundle.path}: cannot be converted: {last}")
    import onnx  # comes with tf2onnx; who does not convert need not wait for it

    from training.fold import fold

    # It writes down the folder that it read, which is nobody's business.
    network = onnx.load(path)
    network.graph.ClearField("doc_string")
    onnx.save(fold(network), path)


def _require_same(bundle: Bundle, path: Path) -> None:
    golden = read_golden(bundle)
    try:
        found = OnnxEngine(path, bundle.manifest.signature).infer(golden.features)
    except BundleError as error:
        raise RunError(f"{bundle.path}: what it was converted to is of no use: {error}") from error
    difference = float(np.max(np.abs(found - golden.probabilities)))
    if not difference <= TOLERANCE:
        raise RunError(
            f"{bundle.path}: converted, the network answers differently (by {difference:.2g}); "
            "the bundle is left as it was"
        )
