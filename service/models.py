"""The models that the service answers with: found, verified, warmed, and looked up by name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from service.settings import Settings
from undertone.bundle import find, read_manifest
from undertone.classifier import Classifier, load
from undertone.errors import BundleError, BundleMissing, ModelNotFound

PREFERRED = "undertone-ravdess"


@dataclass(frozen=True, slots=True)
class Models:
    """Loaded models by name, and which of them answers where none is named."""

    by_name: Mapping[str, Classifier]
    default: str

    def __iter__(self) -> Iterator[Classifier]:
        return iter(self.by_name.values())

    def get(self, name: str | None = None) -> Classifier:
        """The model of that name, or the default one.

        Raises:
            ModelNotFound: there is none of that name; the error lists those there are.
        """
        return self.by_name[choose(name or self.default, self.by_name)]


def load_models(settings: Settings) -> Models:
    """Every bundle in ``settings.models``, ready to answer.

    Raises:
        BundleError: one of them must not be served, two have the same name, or there is none.
        ModelNotFound: ``settings.default_model`` is none of them.
    """
    by_name: dict[str, Classifier] = {}
    for path in find_bundles(settings):
        classifier = load(path, threads=settings.threads)
        name = classifier.manifest.name
        if name in by_name:
            raise BundleError(
                f"{path} and {by_name[name].bundle.path} are both named {name}; remove one of them"
            )
        by_name[name] = classifier
    return Models(by_name, choose(settings.default_model, by_name))


def load_one(settings: Settings, name: str | None) -> Classifier:
    """One model of ``settings.models``, without the cost of loading the others.

    Raises:
        BundleError: it must not be used, or there is none at all.
        ModelNotFound: there is none of that name.
    """
    paths = {read_manifest(path).name: path for path in find_bundles(settings)}
    return load(paths[choose(name or settings.default_model, paths)], threads=settings.threads)


def find_bundles(settings: Settings) -> tuple[Path, ...]:
    """Where the bundles in ``settings.models`` lie.

    Raises:
        BundleMissing: there is none.
    """
    paths = find(settings.models)
    if not paths:
        raise BundleMissing(
            f"{settings.models}: no model there; UNDERTONE_MODELS names the folder that holds them"
        )
    return paths


def choose(name: str | None, known: Mapping[str, object]) -> str:
    """``name`` if it is known, or the default of those known if it is None.

    Raises:
        ModelNotFound: there is none of that name.
    """
    if name is None:
        return PREFERRED if PREFERRED in known else min(known)
    if name not in known:
        raise ModelNotFound(
            f"There is no model {name!r}; known are {', '.join(sorted(known))}.",
            received={"model": name},
            allowed={"model": sorted(known)},
        )
    return name
