"""What tests share: the recordings, where there are any, and the speech that a clone holds."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder with RAVDESS and TESS, named by ``UNDERTONE_DATA``."""
    folder = os.environ.get("UNDERTONE_DATA")
    if not folder:
        pytest.skip("needs the real recordings: set UNDERTONE_DATA to the folder that holds them")
    path = Path(folder)
    if not (path / "ravdess").is_dir():
        pytest.skip(f"UNDERTONE_DATA={folder} holds no ravdess/ folder")
    return path


@pytest.fixture(scope="session")
def hello() -> Path:
    """`examples/hello.wav`: 3 s of speech that espeak-ng spoke, 22 050 Hz, 16-bit, mono."""
    return ROOT / "examples" / "hello.wav"


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real bundle of an untrained network, exported as `undertone-train` exports; do not change it."""
    import keras
    import numpy as np

    from training import recipe as recipes
    from training.export import write_bundle
    from training.network import build
    from undertone.bundle import Calibration

    recipe = recipes.load("ravdess-conv-blstm", ["network.channels=[2, 4, 4]", "network.lstm=4"])
    keras.utils.set_random_seed(0)
    generator = np.random.default_rng(0)
    features = generator.normal(-40, 20, size=(4, recipe.spec.frames, recipe.spec.width))
    path = tmp_path_factory.mktemp("models") / "tiny"
    write_bundle(
        path,
        build(recipe.network, features.astype(np.float32), len(recipe.emotions)),
        recipe,
        name="tiny",
        description="An untrained network, for tests.",
        calibration=Calibration(temperature=0.5, ece_before=0, ece_after=0, fitted_on="nothing"),
        revision="test",
    )
    return path


@pytest.fixture
def bundle_copy(exported: Path, tmp_path: Path) -> Path:
    """A copy of `exported` to do damage to."""
    return shutil.copytree(exported, tmp_path / "tiny")
