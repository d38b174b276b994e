"""The figures of `make soak` in docs/uploads.md are those that were written down, and are good."""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "uploads.md").read_text()


def report(part: str) -> dict:
    return json.loads((ROOT / "benchmarks" / "results" / f"soak-{part}.json").read_text())


def test_fuzzing():
    fuzz = report("fuzz")
    assert fuzz["executions"] >= 5_000_000 or fuzz["minutes"] >= 60
    assert fuzz["slowest_s"] <= 1
    assert f"| {fuzz['executions']} executions, {fuzz['found']} found |" in TEXT


def test_reference():
    reference = report("reference")
    assert reference["the same"] > reference["files"] / 3
    assert (
        f"| {reference['files']} files: {reference['the same']} read alike, {reference['refused']} "
        f"refused by us, {reference['refused by libsndfile']} by libsndfile alone |" in TEXT
    )


def test_schema():
    schema = report("schema")
    counts = list(schema["statuses"].values())
    assert not any(
        status >= "500" for modes in counts for mode in modes.values() for status in mode
    )
    assert f"| {schema['requests']} requests, every answer declared, no 5xx |" in TEXT


def test_uploads():
    uploads = report("uploads")
    grown = (
        uploads["memory_mb_after_each_thousand"][-1] - uploads["memory_mb_after_each_thousand"][0]
    )
    assert (
        f"| {uploads['bad_uploads']} uploads, the good one answered as before, "
        f"{uploads['temporary_files']} files left, memory grown by {grown:.1f} MB |" in TEXT
    )
