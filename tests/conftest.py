"""What tests share: the recordings, where there are any, and the speech that a clone holds."""

import os
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
