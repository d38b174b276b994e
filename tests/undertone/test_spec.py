import numpy as np
import pytest
from pydantic import ValidationError

from undertone.features import extract
from undertone.spec import LogMel, Mfcc, Rms, Spec, Stft


def test_shape_follows_from_the_settings():
    spec = Spec(duration_s=2.5, features=(LogMel(n_mels=64), Mfcc(n_mfcc=13, deltas=2), Rms()))
    assert spec.n_samples == 40_000
    assert spec.frames == 1 + 40_000 // 256
    assert spec.width == 64 + 39 + 1


@pytest.mark.parametrize("n_fft", [400, 401])
def test_it_says_how_many_rows_there_are(n_fft):
    stft = Stft(n_fft=n_fft, win_length=400, hop_length=160)
    spec = Spec(stft=stft, features=(Rms(),))
    assert len(extract(np.zeros(spec.n_samples, np.float32), spec)) == spec.frames


def test_it_survives_json():
    spec = Spec(features=(Mfcc(deltas=1), LogMel(fmax=7000)))
    assert Spec.model_validate_json(spec.model_dump_json()) == spec


def test_the_digest_tells_specs_apart():
    assert Spec().digest == Spec().digest
    assert Spec().digest != Spec(duration_s=3.5).digest


@pytest.mark.parametrize(
    "fault",
    [
        {"sr": 0},
        {"features": []},
        {"features": [{"kind": "log_mels"}]},
        {"stft": {"n_fft": 256, "win_length": 400}},
        {"hop": 256},
        {"version": 2},
    ],
)
def test_nonsense_is_refused(fault):
    with pytest.raises(ValidationError):
        Spec.model_validate(fault)


def test_specs_are_values():
    assert hash(Spec()) == hash(Spec())
    with pytest.raises(ValidationError):
        Stft().n_fft = 1024
