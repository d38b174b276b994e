"""The models that the service answers with: found, verified, warmed, and looked up by name."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from service.errors import ModelUnavailable
from service.settings import Settings
from undertone.bundle import Bundle, Manifest, find, open_bundle, read_manifest
from undertone.classifier import Classifier, load
from undertone.errors import BundleCorrupt, BundleError, BundleMissing, ModelNotFound

PREFERRED = "undertone-ravdess-2"

_log = logging.getLogger("undertone")

Found = Mapping[str, tuple[Path, Manifest | BundleError]]
"""Where each bundle lies, and its manifest or what is wrong with that. By the name in the manifest;
by the name of the folder where the manifest cannot be read."""


class Models:
    """The models there are, each loaded once: when the service starts, or when first asked for.

    One that fails its check is not tried again: it stays unavailable until the service is started
    anew, and the others go on. Loading happens in a thread of its own, one model at a time. Nothing
    here belongs to one event loop.
    """

    def __init__(self, found: Found, default: str, load: Callable[[Path], Classifier]) -> None:
        """Load nothing yet.

        Args:
            found: the bundles, as `find_models` finds them.
            default: the name of the model that answers where none is named.
            load: makes a model of a bundle, or raises a `BundleError`.
        """
        self.default = default
        self._found = found
        self._load = load
        self._loader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="loader")
        self._loading: dict[str, Future[Classifier]] = {}
        self._lock = Lock()

    @property
    def manifests(self) -> Mapping[str, Manifest]:
        """What can be asked for: the manifests of all models that have not failed, by name."""
        return {
            name: manifest
            for name, (_, manifest) in sorted(self._found.items())
            if isinstance(manifest, Manifest) and not self._failed(name)
        }

    @property
    def unavailable(self) -> tuple[str, ...]:
        """The names of the models that have failed their check."""
        return tuple(sorted(set(self._found) - set(self.manifests)))

    @property
    def loaded(self) -> Mapping[str, Classifier]:
        """The models that are ready to answer, by name."""
        done = {name: job for name, job in sorted(self._loading.items()) if job.done()}
        return {name: job.result() for name, job in done.items() if not job.exception()}

    def manifest(self, name: str | None = None) -> Manifest:
        """What the model of that name, or the default one, says about itself.

        Raises:
            ModelNotFound: there is none of that name; the error lists those there are.
            ModelUnavailable: it has failed its check.
        """
        name = choose(name or self.default, self._found)
        if manifest := self.manifests.get(name):
            return manifest
        raise _unavailable(name)

    async def get(self, name: str | None = None) -> Classifier:
        """The model of that name, or the default one; loaded if need be, which takes seconds.

        Cancel to wait no longer: the loading goes on, for those who still wait and who will come.

        Raises:
            ModelNotFound: there is none of that name; the error lists those there are.
            ModelUnavailable: it fails its check, or has failed it before.
        """
        name = choose(name or self.default, self._found)
        if (job := self._loading.get(name)) and job.done() and not job.exception():
            return job.result()
        name = self.manifest(name).name
        try:
            return await asyncio.shield(asyncio.wrap_future(self._start(name, self._load_late)))
        except BundleError as error:
            raise _unavailable(name) from error

    def load(self, *names: str) -> None:
        """Load these models now, in turn.

        Raises:
            BundleError: one of them must not be served.
        """
        for name in names:
            self._start(name, self._load_verified).result()

    def _start(self, name: str, load: Callable[[str], Classifier]) -> Future[Classifier]:
        with self._lock:
            job = self._loading.get(name)
            if job is None or _is_worth_another_try(job):
                job = self._loading[name] = self._loader.submit(load, name)
            return job

    def _load_verified(self, name: str) -> Classifier:
        path, manifest = self._found[name]
        if isinstance(manifest, BundleError):
            raise manifest
        classifier = self._load(path)
        if classifier.manifest != manifest:
            raise BundleCorrupt(f"{path}: changed since the service started; start it again")
        return classifier

    def _load_late(self, name: str) -> Classifier:
        try:
            classifier = self._load_verified(name)
        except BundleError as error:
            _log_refusal(name, error)
            raise
        _log.info("model loaded", extra={"fields": {"model": name}})
        return classifier

    def _failed(self, name: str) -> bool:
        job = self._loading.get(name)
        return job is not None and job.done() and isinstance(job.exception(), BundleError)


def load_models(settings: Settings) -> Models:
    """The bundles in ``settings.models``, of which those that ``settings.preload`` says are loaded.

    Raises:
        BundleError: one that is loaded now must not be served, two have the same name, or there is
            none.
        ModelNotFound: ``settings.default_model`` is none of them.
    """
    found = find_models(settings)
    default = choose(settings.default_model, found)
    _require_pinned(settings, found[default])
    # As many batches run at once as there are threads for the network: each needs only one.
    models = Models(found, default, lambda path: load(path, threads=1))
    models.load(*([default] if settings.preload == "default" else sorted(found)))
    for name, (_, manifest) in found.items():
        if isinstance(manifest, BundleError):
            _log_refusal(name, manifest)
    return models


def verify_default(settings: Settings) -> Bundle:
    """The default model, its files verified; nothing is loaded.

    Raises:
        BundleError: it must not be served, or there is none.
        ModelNotFound: ``settings.default_model`` is not there.
    """
    found = find_models(settings)
    path, manifest = found[choose(settings.default_model, found)]
    _require_pinned(settings, (path, manifest))
    return open_bundle(path)


def load_one(settings: Settings, name: str | None) -> Classifier:
    """One model of ``settings.models``, without the cost of loading the others.

    Raises:
        BundleError: it must not be used, or there is none at all.
        ModelNotFound: there is none of that name.
    """
    found = find_models(settings)
    path, manifest = found[choose(name or settings.default_model, found)]
    if isinstance(manifest, BundleError):
        raise manifest
    return load(path, threads=settings.threads)


def find_models(settings: Settings) -> Found:
    """The bundles in ``settings.models``, by name, without loading any.

    Raises:
        BundleError: two have the same name, or there is none.
    """
    found: dict[str, tuple[Path, Manifest | BundleError]] = {}
    for path in find_bundles(settings):
        manifest = _manifest(path)
        name = manifest.name if isinstance(manifest, Manifest) else path.resolve().name
        if name in found:
            raise BundleError(
                f"{path} and {found[name][0]} are both named {name}; remove one of them"
            )
        found[name] = path, manifest
    return found


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
            f"There is no model {name[:64]!r}; known are {', '.join(sorted(known))}.",
            received={"model": name[:64]},
            allowed={"model": sorted(known)},
        )
    return name


def _require_pinned(settings: Settings, found: tuple[Path, Manifest | BundleError]) -> None:
    path, manifest = found
    pinned = settings.default_model_digest
    if pinned and isinstance(manifest, Manifest) and manifest.digest != pinned:
        raise BundleError(
            f"{path}: its digest is {manifest.digest}, and UNDERTONE_DEFAULT_MODEL_DIGEST pins {pinned}; "
            "restore the bundle that was pinned, or pin this one"
        )


def _is_worth_another_try(job: Future[Classifier]) -> bool:
    """Whether it failed for a reason that is not the bundle's, such as a lack of memory."""
    return job.done() and not isinstance(job.exception(), (BundleError, type(None)))


def _manifest(path: Path) -> Manifest | BundleError:
    try:
        return read_manifest(path)
    except BundleError as error:
        return error


def _log_refusal(name: str, error: BundleError) -> None:
    _log.error("model refused", extra={"fields": {"model": name, "reason": error.detail}})


def _unavailable(name: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"The model {name!r} did not pass its check and is not served; the log says why.",
        received={"model": name},
    )
