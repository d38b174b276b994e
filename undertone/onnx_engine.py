"""The network of a bundle, run by ONNX Runtime (https://onnxruntime.ai).

From version 1.29 on, its builds for Linux tell their maker about every session, unless that is switched
off before it is imported; they leave a file in the folder for temporary files, too. It is switched off here.
"""

import os
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from undertone.bundle import Signature
from undertone.engine import MAX_ROWS
from undertone.errors import BundleMissing

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime

onnxruntime.disable_telemetry_events()

_ERRORS_ONLY: Final = 3


class OnnxEngine:
    """A session, which answers for any number of rows without ever compiling anything again."""

    def __init__(self, path: Path, signature: Signature, *, threads: int | None = None) -> None:
        """Load the network of a verified bundle.

        Args:
            path: where it lies.
            signature: what the manifest says of its input and output.
            threads: processors that one call may use; all where left out.

        Raises:
            BundleMissing: it does not load, or its input and output are not those of the manifest.
        """
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        options.intra_op_num_threads = threads or 0
        options.inter_op_num_threads = 1
        # Threads that wait for work must leave the processor to those that have some.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                path.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its errors have nothing else in common
            raise BundleMissing(f"{path} does not load ({error})") from error
        found = [
            (each.name, tuple(each.shape[1:]))
            for each in (*self._session.get_inputs(), *self._session.get_outputs())
        ]
        expected = [
            (signature.input, signature.input_shape[1:]),
            (signature.output, signature.output_shape[1:]),
        ]
        if found != expected:
            raise BundleMissing(
                f"{path} takes and gives {found}, where the manifest says {expected}; "
                "`undertone-train compile` writes it anew"
            )
        self._input, self._outputs = signature.input, [signature.output]
        self._row = signature.input_shape[1:]

    def infer(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """``float32[n, frames, width]`` to ``float32[n, emotions]``, for any ``n >= 1``."""
        parts = [
            self._run(features[start : start + MAX_ROWS])
            for start in range(0, len(features), MAX_ROWS)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def warm(self) -> None:
        """Take the memory that the largest batch needs, and make the first call."""
        for n in (1, MAX_ROWS):
            self._run(np.zeros((n, *self._row), np.float32))

    def _run(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        (probabilities,) = self._session.run(self._outputs, {self._input: features})
        result: NDArray[np.float32] = probabilities
        return result
