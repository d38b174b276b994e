"""Who may import whom: `service -> undertone <- training`, and features without frameworks."""

import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "fastapi", "uvicorn", "matplotlib", "httpx")


def loaded(statement):
    """The modules that stand in a fresh interpreter after ``statement``."""
    code = f"{statement}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()}


def test_features_need_no_framework():
    modules = loaded("import undertone.features, undertone.audio, undertone.bundle")
    assert not modules & {*HEAVY, "service", "training"}


def test_no_feature_needs_librosa():
    """Workers that start at the same time would fill numba's cache at the same time, and may crash on it."""
    modules = loaded(
        "import numpy; from undertone.features import extract; from undertone.spec import *; "
        "every = (LogMel(), Mfcc(deltas=2), Chroma(), Rms(), Zcr(), Pitch()); "
        "stft = Stft(n_fft=1024, win_length=640); "
        "extract(numpy.ones(16_000, 'float32'), Spec(stft=stft, features=every))"
    )
    assert not modules & {"librosa", "numba"}


def test_the_library_knows_neither_face():
    modules = loaded("import undertone.classifier, undertone.engine")
    assert not modules & {"service", "training"}


@pytest.mark.parametrize(
    ("face", "other"), [("service.app", "training"), ("training.cli", "service")]
)
def test_the_faces_do_not_know_each_other(face, other):
    assert other not in loaded(f"import {face}")


@pytest.mark.parametrize("command", ["service.cli", "training.cli"])
def test_asking_a_command_for_help_is_quick(command):
    assert not loaded(f"import {command}") & {"tensorflow", "librosa", "matplotlib", "sklearn"}


def test_importing_undertone_is_quick():
    assert not loaded("import undertone") & {"tensorflow", "librosa", "numpy"}
