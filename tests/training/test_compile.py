"""A bundle is compiled only to what answers as before."""

import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from training.cli import app
from training.compile import compile_network
from training.errors import RunError
from undertone.bundle import (
    NETWORK,
    Golden,
    open_bundle,
    read_golden,
    read_manifest,
    seal,
    write_golden,
)
from undertone.verify import verify


@pytest.fixture
def copy(exported, tmp_path):
    shutil.copytree(exported, tmp_path / "model")
    return tmp_path / "model"


def test_the_command_adds_the_network_and_every_check_passes(copy):
    before = open_bundle(copy).manifest
    result = CliRunner().invoke(app, ["compile", str(copy)])
    assert result.exit_code == 0, result.output
    after = open_bundle(copy).manifest
    assert set(after.files) - set(before.files) == {NETWORK}
    assert after.model_copy(update={"files": before.files, "digest": before.digest}) == before
    assert [(each.name, each.passed) for each in verify(copy)][-2:] == [
        ("golden sample", True),
        ("golden sample, ONNX", True),
    ]
    assert str(copy.parent).encode() not in (copy / NETWORK).read_bytes()


def test_one_that_would_answer_otherwise_is_taken_away_again(copy):
    bundle = open_bundle(copy)
    golden = read_golden(bundle)
    turned = np.roll(golden.probabilities, 1, axis=1)
    write_golden(copy, Golden(golden.samples, golden.features, turned))
    with pytest.raises(RunError, match="answers differently"):
        compile_network(seal(copy, bundle.manifest))
    assert open_bundle(copy).network is None
    assert not (copy / NETWORK).exists()


def test_one_that_cannot_be_converted_is_told_by_name(copy):
    (copy / "saved_model" / "saved_model.pb").write_bytes(b"something else")
    with pytest.raises(RunError, match="cannot be converted"):
        compile_network(seal(copy, read_manifest(copy)))
