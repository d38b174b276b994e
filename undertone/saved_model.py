"""The SavedModel of a bundle, run by TensorFlow. Nothing else in the library or the service imports it."""

import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from undertone.bundle import Bundle
from undertone.errors import BundleMissing

BATCH_SIZES: Final = (1, 4, 8, 16)
"""The batches that the graph ever sees; anything else is made up of them. Larger ones make a row hardly
cheaper (`python -m benchmarks.engines`)."""

WELL_FILLED: Final = 0.75
"""Share of rows that a batch must hold; with fewer, the next smaller size is the cheaper one."""

_importing = threading.Lock()


class SavedModelEngine:
    """A SavedModel, kept alive for as long as it is called.

    For one row alone it is compiled by XLA, which fuses the many small steps of a recurrent network; for
    more, the kernels of the graph as it is are faster (``python -m benchmarks.engines``). Both give the
    same to within 1e-5. Calls from several threads are safe; TensorFlow must not be forked after one
    was made.
    """

    def __init__(self, bundle: Bundle, *, threads: int | None = None) -> None:
        """Load the graph of a verified bundle. A batch size is made ready when it is first needed.

        Raises:
            BundleMissing: TensorFlow cannot load it, or it lacks the signature that the manifest names.
        """
        signature = bundle.manifest.signature
        with suppress(RuntimeError):
            import_tensorflow(threads)  # once it has run anything, it keeps the threads that it has
        self._tensorflow = tensorflow = import_tensorflow()
        try:
            # The function holds the variables weakly: without this reference they would be collected.
            self._loaded = tensorflow.saved_model.load(str(bundle.saved_model))
            call = self._loaded.signatures[signature.name]
        except (OSError, KeyError, ValueError, tensorflow.errors.OpError) as error:
            raise BundleMissing(f"{bundle.path}: the SavedModel does not load ({error})") from error
        (_, inputs) = call.structured_input_signature
        self._shape = tuple(inputs[signature.input].shape[1:])
        self._graph = lambda features: call(**{signature.input: features})[signature.output]
        self._ready: dict[int, Any] = {}
        self._preparing = {size: threading.Lock() for size in BATCH_SIZES}

    def infer(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """``float32[n, frames, width]`` to ``float32[n, emotions]``, for any ``n >= 1``."""
        parts, start = [], 0
        while start < len(features):
            size = batch_size(len(features) - start)
            parts.append(self._infer_batch(features[start : start + size], size))
            start += size
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def warm(self) -> None:
        """Make every batch size ready, side by side, so that no caller pays for the first time."""
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(self._function, BATCH_SIZES))

    def _infer_batch(self, features: NDArray[np.float32], size: int) -> NDArray[np.float32]:
        n = len(features)
        if size > n:
            features = np.pad(features, ((0, size - n), (0, 0), (0, 0)))
        result = self._function(size)(self._tensorflow.constant(features))
        probabilities: NDArray[np.float32] = result.numpy()[:n]
        return probabilities

    def _function(self, size: int) -> Any:
        """The graph for batches of ``size``: a shape of its own, so that nothing is ever traced again."""
        with self._preparing[size]:
            if size not in self._ready:
                tensorflow = self._tensorflow
                shape = tensorflow.TensorSpec((size, *self._shape), tensorflow.float32)
                try:
                    self._ready[size] = self._traced(shape, compiled=size == 1)
                except tensorflow.errors.OpError:  # an operation that XLA does not know
                    self._ready[size] = self._traced(shape, compiled=False)
            return self._ready[size]

    def _traced(self, shape: Any, *, compiled: bool) -> Any:
        function = self._tensorflow.function(self._graph, jit_compile=compiled)
        concrete = function.get_concrete_function(shape)
        concrete(self._tensorflow.zeros(shape.shape))  # the first call compiles
        return concrete


def batch_size(n: int) -> int:
    """The size of the batch that the next of ``n`` rows go into."""
    return next(size for size in reversed(BATCH_SIZES) if n >= WELL_FILLED * size)


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
