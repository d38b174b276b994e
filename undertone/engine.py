"""The arithmetic of a loaded bundle: features in, probabilities out.

A bundle holds the same network twice: as a SavedModel, which TensorFlow and TensorFlow Serving load, and,
once `undertone-train fit` has written it, in the format of ONNX Runtime, which gives the same to within
1e-5, sooner, and with less memory (docs/performance.md, `python -m benchmarks.engines`).
"""

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from undertone.bundle import Bundle

MAX_ROWS: Final = 8
"""Rows that are worth running together: more make one hardly cheaper (`python -m benchmarks.engines`)."""


class Engine(Protocol):
    """A network that answers. Calls from several threads are safe."""

    def infer(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """``float32[n, frames, width]`` to ``float32[n, emotions]``, for any ``n >= 1``."""

    def warm(self) -> None:
        """Do once whatever only the first call would do, so that no caller pays for it."""


def open_engine(bundle: Bundle, *, threads: int | None = None) -> Engine:
    """What runs the network of a verified bundle: ONNX Runtime where it can, TensorFlow elsewhere.

    Args:
        bundle: whose network.
        threads: processors that one call may use; all where left out.

    Raises:
        BundleMissing: it does not load, or is not what the manifest says.
    """
    if bundle.network is not None:
        from undertone.onnx_engine import OnnxEngine

        return OnnxEngine(bundle.network, bundle.manifest.signature, threads=threads)
    from undertone.saved_model import SavedModelEngine

    return SavedModelEngine(bundle, threads=threads)
