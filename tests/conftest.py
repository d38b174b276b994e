"""What tests share: the recordings, where there are any, and the speech that a clone holds."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest

from tests.support.bundles import build_bundle

ROOT = Path(__file__).resolve().parent.parent

# How long something takes is for benchmarks to say.
hypothesis.settings.register_profile(
    "tests", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("tests")


def pytest_configure(config: pytest.Config) -> None:
    """Compile what librosa compiles before processes do it at the same time, and crash on each other's.

    https://github.com/numba/numba/issues/10128 has how. Once there is a cache, it is a matter of two seconds.
    """
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        # Each by its name: librosa imports its modules when they are first asked for something.
        compiled = "import librosa.util.utils, librosa.core.audio, librosa.core.pitch"
        subprocess.run([sys.executable, "-c", compiled], check=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that no worker is left alone with one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


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
    """A real bundle of an untrained network named ``tiny``; copy it before you change it."""
    return build_bundle(tmp_path_factory.mktemp("models") / "tiny", name="tiny").path


@pytest.fixture
def bundle_copy(exported: Path, tmp_path: Path) -> Path:
    """A copy of `exported` to do damage to."""
    return shutil.copytree(exported, tmp_path / "tiny")
