"""The page of results: a row a model, from manifests, and sections only for what was measured."""

from tests.support.evidence import evidence
from training.standings import page
from undertone.bundle import read_manifest, seal


def test_five_other_folds_have_a_table_of_their_own(bundle_copy):
    unseen, five = evidence(lambda _: True), evidence(lambda number: number > 12, "unseen-5")
    seal(bundle_copy, _with(bundle_copy, unseen))
    plain = page(bundle_copy.parent)
    assert "| 1.000 | **1.000** |" in plain
    assert "Other folds" not in plain

    seal(bundle_copy, _with(bundle_copy, unseen, five))
    both = page(bundle_copy.parent)
    assert "five folds by actor of Luna-Jiménez" in both
    assert "| `tiny` | 0.750 | **0.750** |" in both
    assert [line for line in plain.splitlines() if line not in both] == []


def _with(path, *found):
    manifest = read_manifest(path)
    metrics = {each.protocol.name: each.metrics for each in found}
    return manifest.model_copy(update={"metrics": metrics})
