"""A trained network to a bundle: on TensorFlow, on the CPU, with the temperature inside the graph."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import keras
import numpy as np
from numpy.typing import NDArray

from training.errors import RunError
from training.provenance import library_versions
from training.recipe import Recipe
from undertone import audio
from undertone.bundle import (
    SAVED_MODEL,
    Bundle,
    Calibration,
    Corpus,
    Golden,
    Manifest,
    Metrics,
    Signature,
    seal,
    write_golden,
)
from undertone.classifier import windows
from undertone.saved_model import SavedModelEngine, graph_operations

HELLO: Final = Path(__file__).resolve().parent.parent / "examples" / "hello.wav"
"""What the golden sample is made from: speech that nobody spoke."""

CORPORA: Final[Mapping[str, Corpus]] = {
    "ravdess": Corpus(
        name="RAVDESS",
        licence="CC BY-NC-SA 4.0",
        citation="Livingstone SR, Russo FA (2018), PLoS ONE 13(5): e0196391",
        url="https://doi.org/10.5281/zenodo.1188976",
    ),
    "ravdess-song": Corpus(
        name="RAVDESS song",
        licence="CC BY-NC-SA 4.0",
        citation="Livingstone SR, Russo FA (2018), PLoS ONE 13(5): e0196391",
        url="https://doi.org/10.5281/zenodo.1188976",
    ),
    "tess": Corpus(
        name="TESS",
        licence="CC BY-NC-ND 4.0",
        citation="Dupuis K, Pichora-Fuller MK (2010), Toronto emotional speech set",
        url="https://doi.org/10.5683/SP2/E8H2MF",
    ),
}

LIBRARIES: Final = ("keras", "librosa", "numpy", "onnxruntime", "scipy", "soxr", "tensorflow")


def corpus(name: str) -> Corpus:
    """What there is to say about a corpus; of one of your own only you know its licence."""
    own = Corpus(name=name, licence="its owner's", citation="not published", url="")
    return CORPORA.get(name, own)


def licence(corpora: Sequence[Corpus]) -> str:
    """The licence of weights that were trained on ``corpora``: theirs."""
    names = sorted({corpus.licence for corpus in corpora})
    return f"{' and '.join(names)} (follows the corpora that it was trained on)"


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
) -> Bundle:
    """Export a network and write everything that a bundle needs; what stood at ``path`` is replaced.

    Raises:
        RunError: as `write_saved_model` says.
    """
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
        spec=recipe.spec,
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


def golden(bundle: Bundle) -> Golden:
    """What the exported graph makes of `HELLO`."""
    samples = audio.read(HELLO, bundle.manifest.spec.sr).samples
    features = windows(samples, bundle.manifest.spec)
    probabilities: NDArray[np.float32] = SavedModelEngine(bundle).infer(features)
    return Golden(samples, features, probabilities)


def _trained_parameters(model: keras.Model) -> int:
    return int(sum(np.prod(weight.shape) for weight in model.trainable_weights))
