"""The arithmetic of a loaded bundle: features in, probabilities out. The one place that runs TensorFlow."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from undertone.bundle import Bundle
from undertone.errors import BundleMissing

BATCH_SIZES: Final = (1, 2, 4, 8, 16, 32)
"""The batches that the graph ever sees: anything else is padded to the next of them, or split."""


_importing = threading.Lock()


class Engine:
    """A SavedModel, kept alive for as long as its signature is called.

    Calls from several threads are safe; TensorFlow must not be forked after one was made.
    """

    def __init__(self, bundle: Bundle, *, threads: int | None = None) -> None:
        """Load the graph of a verified bundle.

        Raises:
            BundleMissing: TensorFlow cannot load it, or it lacks the signature that the manifest names.
        """
        signature = bundle.manifest.signature
        tensorflow = import_tensorflow(threads)
        self._constant = tensorflow.constant
        self._output = signature.output
        try:
            # The function holds the variables weakly: without this reference they would be collected.
            self._loaded = tensorflow.saved_model.load(str(bundle.saved_model))
            self._call = self._loaded.signatures[signature.name]
        except (OSError, KeyError, ValueError, tensorflow.errors.OpError) as error:
            raise BundleMissing(f"{bundle.path}: the SavedModel does not load ({error})") from error
        self._input = signature.input

    def infer(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """``float32[n, frames, width]`` to ``float32[n, emotions]``, for any ``n >= 1``."""
        if len(features) <= BATCH_SIZES[-1]:
            return self._infer_batch(features)
        parts = range(0, len(features), BATCH_SIZES[-1])
        return np.concatenate(
            [self._infer_batch(features[start : start + BATCH_SIZES[-1]]) for start in parts]
        )

    def warm(self) -> None:
        """Run every batch size once, so that no caller pays for the first time."""
        (_, inputs) = self._call.structured_input_signature
        shape = inputs[self._input].shape[1:]
        for size in BATCH_SIZES:
            self._infer_batch(np.zeros((size, *shape), dtype=np.float32))

    def _infer_batch(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        n = len(features)
        size = next(size for size in BATCH_SIZES if size >= n)
        if size > n:
            features = np.pad(features, ((0, size - n), (0, 0), (0, 0)))
        result = self._call(**{self._input: self._constant(features)})[self._output]
        probabilities: NDArray[np.float32] = result.numpy()[:n]
        return probabilities


def graph_operations(saved_model: Path) -> frozenset[str]:
    """The names of all kinds of operation in the graph at ``saved_model``, functions included."""
    tensorflow = import_tensorflow()
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    proto = SavedModel()
    proto.ParseFromString(
        Path(tensorflow.io.gfile.join(str(saved_model), "saved_model.pb")).read_bytes()
    )
    graphs = [meta.graph_def for meta in proto.meta_graphs]
    nodes = [node.op for graph in graphs for node in graph.node]
    inner = [
        node.op
        for graph in graphs
        for function in graph.library.function
        for node in function.node_def
    ]
    return frozenset(nodes) | frozenset(inner)


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Keep what native code writes to stderr from the terminal and from the log.

    TensorFlow greets from C++ before its own log level counts; Python's exceptions come later.
    """
    kept = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def import_tensorflow(threads: int | None = None) -> Any:
    """TensorFlow, imported late (it takes seconds) and quietly, with its threads set if asked."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _importing:
        if "tensorflow" not in sys.modules:
            with _silent_stderr():
                import tensorflow
        import tensorflow

    if threads is not None:
        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
    return tensorflow
