import asyncio
import shutil
import time
from pathlib import Path

import httpx
import pytest

from service.app import create_app
from service.errors import ModelUnavailable
from service.models import Found, Models, choose, load_models, load_one, verify_default
from service.settings import Settings
from tests.support.bundles import build_bundle
from tests.support.servers import running
from tests.support.sounds import hum_wav
from undertone.bundle import Bundle, read_manifest
from undertone.classifier import Classifier
from undertone.errors import BundleCorrupt, BundleError, BundleMissing, ModelNotFound

WAV = {"Content-Type": "audio/wav"}


@pytest.fixture(scope="module")
def two(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with undertone-ravdess-2, a bundle named aardvark, and something that is no bundle."""
    folder = tmp_path_factory.mktemp("two")
    shutil.copytree(bundle, folder / "b")
    build_bundle(folder / "a", name="aardvark")
    (folder / "notes").mkdir()
    return folder


def test_every_bundle_is_found_and_ours_is_the_default(two):
    models = load_models(Settings(models=two, preload="all"))
    assert list(models.manifests) == list(models.loaded) == ["aardvark", "undertone-ravdess-2"]
    assert asyncio.run(models.get()).manifest.name == "undertone-ravdess-2"
    assert asyncio.run(models.get("aardvark")).manifest.name == "aardvark"
    with pytest.raises(ModelNotFound, match="known are aardvark, undertone-ravdess-2"):
        asyncio.run(models.get("hal-9000"))


def test_the_others_are_loaded_when_they_are_asked_for(two):
    models = load_models(Settings(models=two))
    assert list(models.loaded) == ["undertone-ravdess-2"]
    asyncio.run(models.get("aardvark"))
    assert list(models.loaded) == ["aardvark", "undertone-ravdess-2"]


def test_the_default_can_be_set(two):
    assert load_models(Settings(models=two, default_model="aardvark")).default == "aardvark"
    with pytest.raises(ModelNotFound, match="hal-9000"):
        load_models(Settings(models=two, default_model="hal-9000"))


def test_one_model_is_loaded_without_the_others(two, tmp_path):
    folder = tmp_path / "models"
    shutil.copytree(two, folder)
    (folder / "a" / "golden.npz").unlink()
    assert load_one(Settings(models=folder), None).manifest.name == "undertone-ravdess-2"
    with pytest.raises(BundleMissing):
        load_one(Settings(models=folder), "aardvark")


def test_without_ours_the_first_by_name_is_the_default():
    assert choose(None, {"b": 1, "a": 2}) == "a"


def test_two_of_one_name_are_refused(bundle, tmp_path):
    shutil.copytree(bundle, tmp_path / "one")
    shutil.copytree(bundle, tmp_path / "two")
    with pytest.raises(BundleError, match="both named undertone-ravdess-2"):
        load_models(Settings(models=tmp_path))


def test_an_empty_folder_and_none_are_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(BundleMissing, match="UNDERTONE_MODELS"):
            load_models(Settings(models=folder))


def counting(found: Found, seconds: float = 0.0) -> tuple[Models, list[Path]]:
    """Models that take ``seconds`` to load, and the list of what was loaded; those in b/ refuse."""
    loads: list[Path] = []

    def load(path: Path) -> Classifier:
        loads.append(path)
        time.sleep(seconds)
        if path.name == "b":
            raise BundleCorrupt("spoiled")
        _, manifest = found[path.name]
        return Classifier(Bundle(path, manifest), None)

    return Models(found, "a", load), loads


@pytest.fixture
def found(bundle: Path) -> Found:
    manifest = read_manifest(bundle)
    return {name: (Path(name), manifest.model_copy(update={"name": name})) for name in "abc"}


def test_what_many_ask_for_at_once_is_loaded_once_and_keeps_nothing_waiting(found):
    models, loads = counting(found, seconds=0.2)
    ticks = 0

    async def ask():
        nonlocal ticks
        asked = [asyncio.create_task(models.get(name)) for name in "acac"]
        impatient = asyncio.create_task(models.get("c"))
        await asyncio.sleep(0.01)
        impatient.cancel()
        while not all(each.done() for each in asked):
            await asyncio.sleep(0.01)
            ticks += 1
        return [each.result().manifest.name for each in asked]

    assert asyncio.run(ask()) == ["a", "c", "a", "c"]
    assert loads == [Path("a"), Path("c")]
    assert ticks > 5, "the event loop went on"


def test_one_that_fails_its_check_is_not_tried_again_and_hurts_no_other(found, caplog):
    models, loads = counting(found)
    for _ in range(2):
        with pytest.raises(ModelUnavailable, match="'b' did not pass its check"):
            asyncio.run(models.get("b"))
    assert loads == [Path("b")]
    assert (models.unavailable, list(models.manifests)) == (("b",), ["a", "c"])
    assert asyncio.run(models.get("a")).manifest.name == "a"
    (refused,) = [each for each in caplog.records if each.levelname == "ERROR"]
    assert refused.fields == {"model": "b", "reason": "spoiled"}


def test_a_fault_that_is_not_the_bundles_may_be_over_the_next_time(found):
    faults = [MemoryError("too little")]

    def load(path: Path) -> Classifier:
        if faults:
            raise faults.pop()
        return Classifier(Bundle(path, found[path.name][1]), None)

    models = Models(found, "a", load)
    with pytest.raises(MemoryError):
        asyncio.run(models.get())
    assert asyncio.run(models.get()).manifest.name == "a"


def test_one_that_changed_since_it_was_listed_is_refused(found):
    path, manifest = found["a"]
    newer = Bundle(path, manifest.model_copy(update={"version": "2"}))
    models = Models(found, "a", lambda _: Classifier(newer, None))
    with pytest.raises(ModelUnavailable):
        asyncio.run(models.get())


def spoil_the_golden_sample(path: Path) -> None:
    (path / "golden.npz").write_bytes(b"something else")


def spoil_the_manifest(path: Path) -> None:
    (path / "manifest.json").write_text("something else")


@pytest.fixture(params=[spoil_the_golden_sample, spoil_the_manifest])
def half_spoiled(request, two, tmp_path) -> Path:
    """The same two, but aardvark does not pass its check."""
    folder = tmp_path / "models"
    shutil.copytree(two, folder)
    (folder / "a").rename(folder / "aardvark")
    request.param(folder / "aardvark")
    return folder


def test_a_bad_bundle_that_is_loaded_at_start_keeps_the_service_from_starting(half_spoiled):
    for settings in ({"preload": "all"}, {"default_model": "aardvark"}):
        with pytest.raises(BundleCorrupt, match="aardvark"):
            load_models(Settings(models=half_spoiled, **settings))


def test_a_bad_bundle_that_is_not_loaded_at_start_is_unavailable_and_the_others_go_on(half_spoiled):
    models = load_models(Settings(models=half_spoiled))
    with running(create_app(Settings(), models)) as url, httpx.Client(base_url=url) as client:
        for _ in range(2):
            refused = client.post("/predict?model=aardvark", content=hum_wav(), headers=WAV)
            assert (refused.status_code, refused.json()["code"]) == (503, "model_unavailable")
            assert refused.json()["received"] == {"model": "aardvark"}
            assert str(half_spoiled) not in refused.text
        assert client.get("/models/aardvark").status_code == 503
        assert client.post("/predict", content=hum_wav(), headers=WAV).status_code == 200
        assert client.get("/readyz").status_code == 200
        listed = client.get("/models").json()
        assert [each["name"] for each in listed["models"]] == ["undertone-ravdess-2"]
        assert listed["unavailable"] == ["aardvark"]


def test_the_list_says_what_is_loaded(two):
    models = load_models(Settings(models=two))
    with (
        running(create_app(Settings(), models)) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):

        def loaded() -> dict[str, bool]:
            return {each["name"]: each["loaded"] for each in client.get("/models").json()["models"]}

        assert loaded() == {"aardvark": False, "undertone-ravdess-2": True}
        asked = client.post("/predict?model=aardvark", content=hum_wav(), headers=WAV)
        assert asked.json()["model"]["name"] == "aardvark"
        assert loaded() == {"aardvark": True, "undertone-ravdess-2": True}


def test_the_pinned_default_model_is_loaded_and_no_other(two):
    pinned = read_manifest(two / "b").digest
    assert load_models(Settings(models=two, default_model_digest=pinned)).loaded
    with pytest.raises(BundleError, match="its digest is"):
        load_models(Settings(models=two, default_model="aardvark", default_model_digest=pinned))
    with pytest.raises(BundleError, match="its digest is"):
        verify_default(Settings(models=two, default_model_digest="0" * 64))
