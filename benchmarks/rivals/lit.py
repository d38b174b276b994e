"""The classifier in LitServe, with its batching: ``python -m benchmarks.rivals.lit PORT WORKERS``."""

import sys
from typing import Any

import litserve
import numpy as np
from fastapi import Request
from numpy.typing import NDArray

import undertone
from benchmarks.rivals.answer import MODEL, answer, features_of

Rows = NDArray[np.float32]


class Emotion(litserve.LitAPI):
    """Features are taken one by one, and go through the network together."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        """Load the model, in a process of its own."""
        self.classifier = undertone.load(MODEL, threads=1)

    def decode_request(self, request: Request) -> Rows:
        """``float32[1, frames, width]``."""
        return features_of(
            request["file"].file.read(), self.classifier
        )  # LitServe has read the form

    def batch(self, inputs: list[Rows]) -> Rows:
        """``float32[n, frames, width]``."""
        return np.concatenate(inputs)

    def predict(self, features: Rows) -> Rows:
        """``float32[n, emotions]``."""
        return self.classifier.engine.infer(features)

    def unbatch(self, output: Rows) -> list[Rows]:
        """``float32[emotions]``, n times."""
        return list(output)

    def encode_response(self, output: Rows) -> dict[str, Any]:
        """JSON."""
        return answer(output, self.classifier.manifest.emotions)


if __name__ == "__main__":
    server = litserve.LitServer(
        Emotion(max_batch_size=32, batch_timeout=0.005),
        accelerator="cpu",
        workers_per_device=int(sys.argv[2]),
    )
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False)
