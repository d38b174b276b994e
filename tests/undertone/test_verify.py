import numpy as np
import pytest

from undertone import verify as verification
from undertone.bundle import (
    GOLDEN,
    Bundle,
    Golden,
    read_golden,
    read_manifest,
    seal,
    write_golden,
)
from undertone.verify import verify


def test_a_whole_bundle_passes_every_check(exported):
    checks = list(verify(exported))
    assert [(check.name, check.passed) for check in checks] == [
        ("files", True),
        ("operations", True),
        ("golden sample", True),
    ]


def test_a_changed_file_is_named_and_nothing_is_loaded(bundle_copy):
    (bundle_copy / GOLDEN).write_bytes(b"something else")
    (check,) = verify(bundle_copy)
    assert not check.passed
    assert "golden.npz is not the file that was exported" in check.detail


def test_a_folder_that_is_no_bundle_is_said_to_be_none(tmp_path):
    (check,) = verify(tmp_path)
    assert (check.name, check.passed) == ("files", False)
    assert "no manifest.json there" in check.detail


@pytest.mark.parametrize(
    ("operation", "why"),
    [("CudnnRNNV3", "needs a GPU"), ("EagerPyFunc", "calls Python"), ("ReadFile", "reads files")],
)
def test_what_no_classifier_needs_is_named(exported, monkeypatch, operation, why):
    monkeypatch.setattr(verification, "graph_operations", lambda _: {"MatMul", operation})
    *_, check = verify(exported)
    assert (check.name, check.passed) == ("operations", False)
    assert f"{operation} ({why}" in check.detail


def test_a_golden_sample_that_is_not_reproduced_is_told_by_how_much(bundle_copy):
    manifest = read_manifest(bundle_copy)
    golden = read_golden(Bundle(bundle_copy, manifest))
    turned = np.roll(golden.probabilities, 1, axis=1)
    write_golden(bundle_copy, Golden(golden.samples, golden.features, turned))
    seal(bundle_copy, manifest)
    *_, check = verify(bundle_copy)
    assert (check.name, check.passed) == ("golden sample", False)
    assert "differ by" in check.detail
