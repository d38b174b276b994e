"""A model on disk: a network, a golden sample, and the ``manifest.json`` that vouches for them.

The network is there twice, as ``saved_model/`` and as ``network.onnx``; the sample is ``golden.npz``.
The manifest is the contract. It names every file of the bundle with its SHA-256, and carries a digest
of itself, so that one flipped bit anywhere is found before anything is loaded. Nothing here imports
TensorFlow: a bundle can be listed, verified and read about without it.
"""

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from errno import EACCES
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationError, field_validator

from undertone import __version__
from undertone.emotions import SENTIMENT
from undertone.errors import BundleCorrupt, BundleMissing, BundleUnsupported
from undertone.spec import SPEC_VERSION, Spec

MANIFEST_VERSION: Final = 1
MANIFEST: Final = "manifest.json"
GOLDEN: Final = "golden.npz"
SAVED_MODEL: Final = "saved_model"
NETWORK: Final = "network.onnx"
CARD: Final = "README.md"

Share = Annotated[float, Field(ge=0, le=1)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Signature(_Frozen):
    """The names and shapes under which the graph is called; ``None`` is the batch."""

    name: str = "serve"
    input: str = "features"
    input_shape: tuple[None, int, int]
    output: str = "probabilities"
    output_shape: tuple[None, int]


class Calibration(_Frozen):
    """Temperature scaling (Guo et al. 2017), inside the graph; ECE with 15 equal-width bins."""

    temperature: PositiveFloat
    ece_before: Share
    ece_after: Share
    fitted_on: str
    seeds: tuple[int, ...] = ()
    """Of the runs whose validation clips those are; empty where they are all that lie beside the model."""


class Metrics(_Frozen):
    """What the recipe reached under one protocol. Every figure follows from the committed predictions."""

    uar: Share
    """Unweighted average recall: the mean of the recalls of the classes."""
    accuracy: Share
    macro_f1: Share
    uar_ci95: tuple[Share, Share] | None
    """95 % interval over speakers drawn with replacement; None for one speaker."""
    per_class_recall: dict[str, Share]
    """Of the emotions that occurred."""
    confusion: list[list[int]]
    """Rows are the truth, columns the prediction, both in the order of ``emotions``."""
    ece: Share
    ece_before: Share
    n_clips: int
    n_speakers: int
    seeds: tuple[int, ...]
    uar_per_seed: tuple[Share, ...]
    uar_sd: Annotated[float, Field(ge=0)] | None = None
    """Spread over seeds of the pooled UAR (sample SD); None for one seed."""
    accuracy_per_seed: tuple[Share, ...] = ()
    fold_uar: dict[str, Share]
    """UAR of each fold, first seed."""
    fold_uar_sd: Annotated[float, Field(ge=0)] | None = None
    """Spread over seeds of one fold's UAR, pooled over folds (sample SD); None for one seed."""
    protocol: str
    command: str
    """What to type to get these figures again."""
    predictions: str
    """The file of the bundle that holds the predictions that they are computed from."""


class Corpus(_Frozen):
    """Recordings that the model learnt from."""

    name: str
    licence: str
    citation: str
    url: str


class Manifest(_Frozen):
    """Everything there is to know about a model without loading it."""

    schema_version: Literal[1] = MANIFEST_VERSION
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    version: str
    description: str
    recipe: str
    claim: str = "-"
    """What the system that the recipe was written after says that it reaches."""
    licence: str
    emotions: Annotated[tuple[str, ...], Field(min_length=2)]
    """In the order of the graph's output."""
    spec: Spec
    signature: Signature
    calibration: Calibration
    abstention_threshold: Share | None = None
    metrics: dict[str, Metrics] = {}
    corpora: tuple[Corpus, ...]
    parameters: int
    libraries: dict[str, str]
    revision: str
    """The git revision of the code that trained it."""
    files: dict[str, str] = {}
    """Path relative to the bundle -> SHA-256, for every file but the manifest."""
    digest: str = ""
    """SHA-256 of the manifest itself, without this field, as canonical JSON."""

    @field_validator("emotions")
    @classmethod
    def _have_a_sentiment(cls, emotions: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [emotion for emotion in emotions if emotion not in SENTIMENT]
        if unknown:
            raise ValueError(f"unknown emotions: {', '.join(unknown)}")
        return emotions


@dataclass(frozen=True, slots=True)
class Golden:
    """A short signal and what the model made of it on the machine that exported it."""

    samples: NDArray[np.float32]
    """``float32[n]`` at the spec's rate."""
    features: NDArray[np.float32]
    """``float32[windows, frames, width]``."""
    probabilities: NDArray[np.float32]
    """``float32[windows, emotions]``."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle: its folder and its manifest."""

    path: Path
    manifest: Manifest

    @property
    def saved_model(self) -> Path:
        """The folder that TensorFlow (or TensorFlow Serving) loads."""
        return self.path / SAVED_MODEL

    @property
    def network(self) -> Path | None:
        """The same network as ONNX Runtime loads it; None where the manifest vouches for none."""
        return self.path / NETWORK if NETWORK in self.manifest.files else None


def is_bundle(path: Path) -> bool:
    """Whether ``path`` is a folder with a manifest in it (which may be anything yet).

    One that may not be looked into counts as one, so that whoever reads it is told why that cannot be.
    """
    try:
        return (path / MANIFEST).is_file()
    except OSError as error:
        return error.errno == EACCES


def find(folder: Path) -> tuple[Path, ...]:
    """The bundles directly below ``folder``, or ``folder`` itself where it is one; sorted by name.

    Hidden ones are passed over: `undertone-train fit` may be about to write one.

    Raises:
        BundleMissing: ``folder`` cannot be read.
    """
    with _readable(folder):
        if is_bundle(folder):
            return (folder,)
        if not folder.is_dir():
            return ()
        paths = (path for path in folder.iterdir() if not path.name.startswith("."))
        return tuple(sorted(path for path in paths if is_bundle(path)))


def open_bundle(path: str | Path) -> Bundle:
    """Read the manifest of the bundle at ``path`` and verify every file that it names.

    Raises:
        BundleMissing: no manifest there, or a file that it names is gone, or one of them cannot be read.
        BundleUnsupported: the manifest or its features are of a version that this Undertone does not read.
        BundleCorrupt: a file, or the manifest itself, is not what was exported.
    """
    path = Path(path)
    manifest = read_manifest(path)
    for name, expected in manifest.files.items():
        file = path / name
        with _readable(path, name):
            if not file.is_file():
                raise BundleMissing(
                    f"{path}: {name} is missing; restore the bundle as it was exported"
                )
            found = _sha256(file)
        if found != expected:
            raise BundleCorrupt(
                f"{path}: {name} is not the file that was exported (its SHA-256 differs); "
                "restore the bundle"
            )
    for file in (path / SAVED_MODEL).rglob("*"):
        extra = file.relative_to(path)
        if file.is_file() and not _is_hidden(extra) and extra.as_posix() not in manifest.files:
            raise BundleCorrupt(f"{path}: {extra} is not named in the manifest; remove it")
    return Bundle(path, manifest)


def read_manifest(path: Path) -> Manifest:
    """The manifest of the bundle at ``path``; its own digest is verified, the files are not.

    Raises:
        BundleMissing: no manifest there, or it cannot be read.
        BundleUnsupported: the manifest or its features are of a version that this Undertone does not read.
        BundleCorrupt: the manifest is not the one that was exported.
    """
    try:
        with _readable(path, MANIFEST):
            raw = json.loads((path / MANIFEST).read_bytes())
    except (ValueError, RecursionError) as error:
        raise BundleCorrupt(f"{path}: {MANIFEST} is not JSON ({error})") from error
    if not isinstance(raw, dict):
        raise BundleCorrupt(f"{path}: {MANIFEST} is not a JSON object")
    _require_version(path, "manifest", raw.get("schema_version"), MANIFEST_VERSION)
    spec = raw.get("spec")
    _require_version(
        path, "feature spec", spec.get("version") if isinstance(spec, dict) else None, SPEC_VERSION
    )
    if raw.get("digest") != digest(raw):
        raise BundleCorrupt(f"{path}: {MANIFEST} is not the one that was exported (digest differs)")
    try:
        return Manifest.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BundleUnsupported(f"{path}: {MANIFEST}: {where}: {first['msg']}") from error


def read_golden(bundle: Bundle) -> Golden:
    """The golden sample of a bundle.

    Raises:
        BundleMissing: there is none, or it is no golden sample.
    """
    try:
        with np.load(bundle.path / GOLDEN, allow_pickle=False) as arrays:
            return Golden(arrays["samples"], arrays["features"], arrays["probabilities"])
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise BundleMissing(f"{bundle.path}: {GOLDEN} cannot be read ({error})") from error


def write_golden(path: Path, golden: Golden) -> None:
    """Write the golden sample of the bundle at ``path``."""
    np.savez_compressed(
        path / GOLDEN,
        samples=golden.samples,
        features=golden.features,
        probabilities=golden.probabilities,
    )


def seal(path: Path, manifest: Manifest) -> Bundle:
    """Write ``manifest`` into the bundle at ``path``, with the hash of every other file there."""
    files = {
        file.relative_to(path).as_posix(): _sha256(file)
        for file in sorted(path.rglob("*"))
        if file.is_file() and file != path / MANIFEST and not _is_hidden(file.relative_to(path))
    }
    body = manifest.model_copy(update={"files": files}).model_dump(mode="json")
    body["digest"] = digest(body)
    (path / MANIFEST).write_text(json.dumps(body, indent=2) + "\n")
    return Bundle(path, Manifest.model_validate(body))


def digest(body: Mapping[str, Any]) -> str:
    """SHA-256 of a manifest as canonical JSON, without its own ``digest``."""
    rest = {key: value for key, value in body.items() if key != "digest"}
    return hashlib.sha256(
        json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()


def _require_version(path: Path, what: str, found: object, supported: int) -> None:
    if found != supported:
        raise BundleUnsupported(
            f"{path}: its {what} is of version {found}; Undertone {__version__} reads version "
            f"{supported}: use the Undertone that exported the bundle, or export it again"
        )


@contextmanager
def _readable(path: Path, name: str = "") -> Iterator[None]:
    """Where the system does not let a bundle be read, that is the bundle's fault, in one line."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BundleMissing(
            f"{path}: no {name} there; a bundle is a folder as `undertone-train fit` exports it"
        ) from error
    except OSError as error:
        subject = f"{path}: {name}" if name else f"{path}"
        raise BundleMissing(f"{subject} cannot be read: {error.strerror or error}") from error


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
