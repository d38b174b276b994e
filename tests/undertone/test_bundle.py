import json
import shutil

import numpy as np
import pytest

import undertone
from tests.support.rights import shut
from undertone.bundle import (
    GOLDEN,
    MANIFEST,
    digest,
    find,
    open_bundle,
    read_golden,
    read_manifest,
    write_golden,
)
from undertone.errors import (
    BundleCorrupt,
    BundleError,
    BundleMismatch,
    BundleMissing,
    BundleUnsupported,
)


def rewrite(path, change):
    """Change the manifest as somebody would who also makes its digest right again."""
    body = json.loads((path / MANIFEST).read_text())
    change(body)
    body["digest"] = digest(body)
    (path / MANIFEST).write_text(json.dumps(body))


def test_what_was_exported_opens(exported):
    bundle = open_bundle(exported)
    assert bundle.manifest.name == "tiny"
    assert {GOLDEN, "saved_model/saved_model.pb"} <= set(bundle.manifest.files)


def test_one_flipped_bit_in_any_file_is_found(bundle_copy):
    for name in [*read_manifest(bundle_copy).files, MANIFEST]:
        file = bundle_copy / name
        intact = file.read_bytes()
        damaged = bytearray(intact)
        damaged[len(damaged) // 2] ^= 1
        file.write_bytes(damaged)
        with pytest.raises(BundleError):
            open_bundle(bundle_copy)
        file.write_bytes(intact)
    open_bundle(bundle_copy)


def test_a_missing_file_is_named(bundle_copy):
    (bundle_copy / GOLDEN).unlink()
    with pytest.raises(BundleMissing, match=r"golden\.npz is missing"):
        open_bundle(bundle_copy)


def test_no_bundle_at_all(tmp_path):
    with pytest.raises(BundleMissing, match=r"no manifest\.json there"):
        open_bundle(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00", 100_000 * "["])
def test_a_manifest_that_is_none(bundle_copy, text):
    (bundle_copy / MANIFEST).write_text(text)
    with pytest.raises(BundleCorrupt):
        open_bundle(bundle_copy)


def test_another_spec_version_is_refused_by_name(bundle_copy):
    rewrite(bundle_copy, lambda body: body["spec"].update(version=2))
    with pytest.raises(
        BundleUnsupported, match=r"feature spec is of version 2; .* reads version 1"
    ):
        open_bundle(bundle_copy)


def test_another_manifest_version_is_refused_by_name(bundle_copy):
    rewrite(bundle_copy, lambda body: body.update(schema_version=7))
    with pytest.raises(BundleUnsupported, match=r"manifest is of version 7"):
        open_bundle(bundle_copy)


def test_an_unknown_field_is_refused_by_name(bundle_copy):
    rewrite(bundle_copy, lambda body: body["spec"].update(denoise=True))
    with pytest.raises(BundleUnsupported, match=r"spec\.denoise"):
        open_bundle(bundle_copy)


def test_a_file_that_was_slipped_in_is_found(bundle_copy):
    (bundle_copy / "saved_model" / "assets" / "more").parent.mkdir(exist_ok=True)
    (bundle_copy / "saved_model" / "assets" / "more").write_text("x")
    with pytest.raises(BundleCorrupt, match="not named in the manifest"):
        open_bundle(bundle_copy)


@pytest.mark.parametrize(("part", "change"), [("features", 0.5), ("probabilities", 0.05)])
def test_a_golden_sample_that_no_longer_matches_is_refused(bundle_copy, part, change):
    golden = read_golden(open_bundle(bundle_copy))
    arrays = {name: getattr(golden, name) for name in ("samples", "features", "probabilities")}
    arrays[part] = arrays[part] + np.float32(change)
    write_golden(bundle_copy, type(golden)(**arrays))
    rewrite(bundle_copy, lambda body: body["files"].update({GOLDEN: sha256(bundle_copy / GOLDEN)}))
    with pytest.raises(
        BundleMismatch, match=f"the {part} of the golden sample differ by {change:.2g}"
    ):
        undertone.load(bundle_copy)


def test_hidden_files_are_nobodys_business(bundle_copy):
    (bundle_copy / "saved_model" / ".DS_Store").write_text("x")
    open_bundle(bundle_copy)


def test_an_emotion_without_a_sentiment_is_refused(bundle_copy):
    rewrite(bundle_copy, lambda body: body["emotions"].__setitem__(0, "bored"))
    with pytest.raises(BundleUnsupported, match="unknown emotions: bored"):
        open_bundle(bundle_copy)


@pytest.mark.parametrize("name", [GOLDEN, MANIFEST, "saved_model", "."])
def test_what_may_not_be_read_is_no_model(bundle_copy, monkeypatch, name):
    shut(monkeypatch, bundle_copy / name)
    with pytest.raises(BundleMissing, match="cannot be read: Permission denied"):
        undertone.load(bundle_copy)


def test_a_folder_that_cannot_be_read_is_said_to_be_one(bundle_copy, monkeypatch):
    shut(monkeypatch, bundle_copy)
    assert find(bundle_copy) == (bundle_copy,), "what it is, whoever reads it is told"
    shut(monkeypatch, bundle_copy.parent)
    with pytest.raises(BundleMissing, match="cannot be read"):
        read_manifest(find(bundle_copy.parent)[0])


def test_a_name_that_cannot_be_is_no_bundle(tmp_path):
    with pytest.raises(BundleMissing, match="cannot be read"):
        find(tmp_path / ("a" * 300))


def test_find(exported, tmp_path):
    shutil.copytree(exported, tmp_path / "b")
    shutil.copytree(exported, tmp_path / "a")
    shutil.copytree(exported, tmp_path / ".c.part")
    (tmp_path / "notes").mkdir()
    assert find(tmp_path) == (tmp_path / "a", tmp_path / "b")
    assert find(tmp_path / "a") == (tmp_path / "a",)
    assert find(tmp_path / "nowhere") == ()


def sha256(path):
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()
