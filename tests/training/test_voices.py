"""A voice at another pitch: the harmonics move, the formants stay."""

import os
import subprocess
import sys

import librosa
import numpy as np
import pytest
import scipy.signal

from training.augment import variants
from training.recipe import Augmentation
from training.voices import at_pitch

SR = 16_000
FORMANTS = (700.0, 2_200.0)


@pytest.fixture(scope="module")
def vowel():
    """A glottal pulse train of 150 Hz through two resonances."""
    sound = np.zeros(SR)
    sound[:: round(SR / 150)] = 1.0
    for hertz in FORMANTS:
        sound = scipy.signal.lfilter(*resonance(hertz), sound)
    return (0.1 * sound / np.abs(sound).max()).astype(np.float32)


def resonance(hertz, width=120.0):
    radius = np.exp(-np.pi * width / SR)
    return [1.0], [1.0, -2 * radius * np.cos(2 * np.pi * hertz / SR), radius**2]


def pitch_of(sound):
    heard, voiced, _ = librosa.pyin(sound, fmin=65, fmax=500, sr=SR)
    return np.median(heard[voiced])


def energy(sound, hertz):
    """In a band around a frequency, as a share of all, in dB."""
    power = np.abs(np.fft.rfft(sound)) ** 2
    bins = np.abs(np.fft.rfftfreq(sound.size, 1 / SR) - hertz) < 250
    return 10 * np.log10(power[bins].sum() / power.sum())


def off(sound, original):
    """How far the formants are from where they were, in dB."""
    return sum(abs(energy(sound, hertz) - energy(original, hertz)) for hertz in FORMANTS)


@pytest.mark.parametrize("semitones", [-4.0, 3.0, 5.0])
def test_the_pitch_moves_and_the_formants_stay(vowel, semitones):
    moved = at_pitch(vowel, SR, semitones)
    assert moved.dtype == np.float32
    assert moved.shape == vowel.shape
    assert pitch_of(moved) == pytest.approx(pitch_of(vowel) * 2 ** (semitones / 12), rel=0.03)
    plain = librosa.effects.pitch_shift(vowel, sr=SR, n_steps=semitones)
    assert off(moved, vowel) < 0.6 * off(plain, vowel)


def test_copies_have_other_pitches_where_the_settings_say_so(vowel):
    settings = Augmentation(variants=3, speed=(1, 1), noise_snr_db=(60, 60), pitch=5)
    copies = variants(vowel, SR, settings, np.random.default_rng(0))
    pitches = [pitch_of(copy) for copy in copies]
    assert pitches[0] == pytest.approx(150, rel=0.02)
    assert np.ptp(pitches) > 20


def test_once_it_is_prepared_nothing_is_left_to_compile(tmp_path):
    """Of what may not be compiled by several processes at once, for which numba keeps two files each."""
    code = f"""
import numpy
from pathlib import Path
from training import voices

def compiled():
    return sorted(path.name for path in Path({str(tmp_path)!r}).rglob("guf-*"))

voices.prepare()
before = compiled()
voices.at_pitch(numpy.random.default_rng(0).normal(size=16_000).astype("float32"), 16_000, -3.0)
print(len(before), compiled() == before)
"""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    n_files, is_all = done.stdout.split()
    assert int(n_files) > 0
    assert is_all == "True"
