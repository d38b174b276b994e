import shutil
from pathlib import Path

import pytest

from service.models import choose, load_models, load_one
from service.settings import Settings
from tests.support.bundles import build_bundle
from undertone.errors import BundleCorrupt, BundleError, BundleMissing, ModelNotFound


@pytest.fixture(scope="module")
def two(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with undertone-ravdess, a bundle named aardvark, and something that is no bundle."""
    folder = tmp_path_factory.mktemp("two")
    shutil.copytree(bundle, folder / "b")
    build_bundle(folder / "a", name="aardvark")
    (folder / "notes").mkdir()
    return folder


def test_every_bundle_is_loaded_and_ours_is_the_default(two):
    models = load_models(Settings(models=two))
    assert sorted(each.manifest.name for each in models) == ["aardvark", "undertone-ravdess"]
    assert models.get().manifest.name == "undertone-ravdess"
    assert models.get("aardvark").manifest.name == "aardvark"
    with pytest.raises(ModelNotFound, match="known are aardvark, undertone-ravdess"):
        models.get("hal-9000")


def test_the_default_can_be_set(two):
    assert load_models(Settings(models=two, default_model="aardvark")).default == "aardvark"
    with pytest.raises(ModelNotFound, match="hal-9000"):
        load_models(Settings(models=two, default_model="hal-9000"))


def test_one_model_is_loaded_without_the_others(two, tmp_path):
    folder = tmp_path / "models"
    shutil.copytree(two, folder)
    (folder / "a" / "golden.npz").unlink()
    assert load_one(Settings(models=folder), None).manifest.name == "undertone-ravdess"
    with pytest.raises(BundleMissing):
        load_one(Settings(models=folder), "aardvark")


def test_without_ours_the_first_by_name_is_the_default():
    assert choose(None, {"b": 1, "a": 2}) == "a"


def test_two_of_one_name_are_refused(bundle, tmp_path):
    shutil.copytree(bundle, tmp_path / "one")
    shutil.copytree(bundle, tmp_path / "two")
    with pytest.raises(BundleError, match="both named undertone-ravdess"):
        load_models(Settings(models=tmp_path))


def test_an_empty_folder_and_none_are_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(BundleMissing, match="UNDERTONE_MODELS"):
            load_models(Settings(models=folder))


def test_one_bad_bundle_keeps_the_service_from_starting(two, tmp_path):
    folder = tmp_path / "models"
    shutil.copytree(two, folder)
    (folder / "a" / "golden.npz").write_bytes(b"something else")
    with pytest.raises(BundleCorrupt, match=r"golden\.npz"):
        load_models(Settings(models=folder))
