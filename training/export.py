"""A trained network to a bundle: on TensorFlow, on the CPU, with the temperature inside the graph."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import keras
import numpy as np
from numpy.typing import NDArray

from training.errors import RunError
from training.licences import corpus, licence
from training.provenance import library_versions
from training.recipe import Recipe
from undertone import audio
from undertone.bundle import (
    GOLDEN,
    SAVED_MODEL,
    Bundle,
    Calibration,
    Golden,
    Manifest,
    Metrics,
    Signature,
    is_bundle,
    seal,
    write_golden,
)
from undertone.classifier import windows
from undertone.saved_model import SavedModelEngine, graph_operations
from undertone.spec import Spec

HELLO: Final = Path(__file__).resolve().parent.parent / "examples" / "hello.wav"
"""What the golden sample is made from: speech that nobody spoke."""

LIBRARIES: Final = ("keras", "librosa", "numpy", "onnxruntime", "scipy", "soxr", "tensorflow")


def write_saved_model(model: keras.Model, temperature: float, path: Path) -> Signature:
    """Export ``softmax(logits / temperature)`` as the signature ``serve``, for any batch.

    Raises:
        RunError: the backend is not TensorFlow, or the graph holds an operation of a GPU library.
    """
    if keras.backend.backend() != "tensorflow":
        raise RunError("export runs on the TensorFlow backend: set KERAS_BACKEND=tensorflow")
    import tensorflow

    _, frames, width = model.input_shape
    signature = Signature(
        input_shape=(None, frames, width), output_shape=(None, model.output_shape[-1])
    )

    def serve(features: object) -> dict[str, object]:
        logits = model(features, training=False)
        return {signature.output: keras.ops.softmax(logits / temperature)}

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        signature.name,
        serve,
        input_signature=[
            tensorflow.TensorSpec(signature.input_shape, tensorflow.float32, name=signature.input)
        ],
    )
    with tensorflow.device("CPU"):
        archive.write_out(str(path), verbose=False)
    baked = sorted(name for name in graph_operations(path) if "Cudnn" in name)
    if baked:
        raise RunError(f"the graph holds {', '.join(baked)}: export on a machine without a GPU")
    return signature


def write_bundle(
    path: Path,
    model: keras.Model,
    recipe: Recipe,
    *,
    name: str,
    description: str,
    calibration: Calibration,
    metrics: Mapping[str, Metrics] | None = None,
    revision: str,
    abstention_threshold: float | None = None,
    spec: Spec | None = None,
) -> Bundle:
    """Export a network and write everything that a bundle needs; a bundle that stood at ``path`` is replaced.

    What is heard is the recipe's, unless ``spec`` says otherwise.

    Raises:
        RunError: something else stands there; or as `write_saved_model` says.
    """
    require_free(path)
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    signature = write_saved_model(model, calibration.temperature, path / SAVED_MODEL)
    corpora = tuple(corpus(name) for name in (*recipe.corpora, *recipe.auxiliary.corpora))
    manifest = Manifest(
        name=name,
        version=recipe.version,
        description=description,
        recipe=recipe.name,
        claim=recipe.claim,
        licence=licence(corpora),
        emotions=recipe.emotions,
        spec=spec or recipe.spec,
        signature=signature,
        calibration=calibration,
        abstention_threshold=abstention_threshold,
        metrics=dict(metrics or {}),
        corpora=corpora,
        parameters=_trained_parameters(model),
        libraries=library_versions(LIBRARIES),
        revision=revision,
    )
    write_golden(path, golden(Bundle(path, manifest)))
    return seal(path, manifest)


def require_free(path: Path) -> None:
    """Refuse to write a bundle where something else lies: recordings have been lost so.

    A bundle that was begun and not finished may be replaced, too.

    Raises:
        RunError: ``path`` is a file, or a folder with other things in it.
    """
    if not path.exists() or is_bundle(path):
        return
    begun = {SAVED_MODEL, GOLDEN}
    if not path.is_dir() or any(each.name not in begun for each in path.iterdir()):
        raise RunError(
            f"{path} is no model, and would be written over: choose another --models, or another "
            "model name in the recipe"
        )


def golden(bundle: Bundle) -> Golden:
    """What the exported graph makes of `HELLO`."""
    samples = audio.read(HELLO, bundle.manifest.spec.sr).samples
    features = windows(samples, bundle.manifest.spec)
    probabilities: NDArray[np.float32] = SavedModelEngine(bundle).infer(features)
    return Golden(samples, features, probabilities)


def _trained_parameters(model: keras.Model) -> int:
    return int(sum(np.prod(weight.shape) for weight in model.trainable_weights))
