"""A bundle as `undertone-train` exports them, of a network that was never trained and is tiny."""

from pathlib import Path

import numpy as np

from undertone.bundle import (
    SAVED_MODEL,
    Bundle,
    Calibration,
    Corpus,
    Golden,
    Manifest,
    Signature,
    open_bundle,
    seal,
    write_golden,
)
from undertone.classifier import windows
from undertone.emotions import RAVDESS
from undertone.engine import Engine
from undertone.spec import Spec


def build_bundle(
    path: Path, name: str = "undertone-ravdess", emotions: tuple[str, ...] = RAVDESS
) -> Bundle:
    """Write a sealed bundle to ``path``; its answers mean nothing, and are always the same."""
    import keras
    import tensorflow

    spec = Spec()
    path.mkdir(parents=True)
    keras.utils.set_random_seed(7)
    features = keras.Input((spec.frames, spec.width))
    pooled = keras.layers.GlobalAveragePooling1D()(keras.layers.Rescaling(0.01)(features))
    network = keras.Model(features, keras.layers.Dense(len(RAVDESS), "softmax")(pooled))
    archive = keras.export.ExportArchive()
    archive.track(network)
    archive.add_endpoint(
        "serve",
        lambda features: {"probabilities": network(features)},
        [tensorflow.TensorSpec((None, spec.frames, spec.width), tensorflow.float32, "features")],
    )
    archive.write_out(path / SAVED_MODEL, verbose=False)

    manifest = Manifest(
        name=name,
        version="0.0.1",
        description="Untrained, for tests.",
        recipe="none",
        licence="Apache-2.0",
        emotions=RAVDESS,
        spec=spec,
        signature=Signature(
            input_shape=(None, spec.frames, spec.width), output_shape=(None, len(RAVDESS))
        ),
        calibration=Calibration(temperature=1, ece_before=0.5, ece_after=0.5, fitted_on="nothing"),
        corpora=(Corpus(name="none", licence="none", citation="none", url="https://example.org"),),
        parameters=network.count_params(),
        libraries={},
        revision="0" * 40,
    )
    bundle = seal(path, manifest)
    samples = np.random.default_rng(7).standard_normal(spec.n_samples).astype(np.float32) / 10
    golden_features = windows(samples, spec)
    probabilities = Engine(bundle).infer(golden_features)
    write_golden(path, Golden(samples, golden_features, probabilities))
    seal(path, manifest)
    return open_bundle(path)
