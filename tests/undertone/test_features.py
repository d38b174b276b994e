"""Every feature is librosa's: the definitions are checked against its own output."""

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertone import audio
from undertone.features import extract, features
from undertone.spec import Chroma, LogMel, Mfcc, Pitch, Rms, Spec, Stft, Zcr

SR = 16_000
STFTS = [
    Stft(),
    Stft(n_fft=1024, win_length=1024, hop_length=160, window="hamming"),
    Stft(n_fft=2048, win_length=2048, hop_length=512),
]


@pytest.fixture(scope="module")
def speech(hello):
    return audio.read(hello, SR).samples


def power(samples, stft):
    transform = librosa.stft(
        samples,
        n_fft=stft.n_fft,
        win_length=stft.win_length,
        hop_length=stft.hop_length,
        window=stft.window,
    )
    return np.abs(transform) ** 2


def ours(samples, stft, feature):
    return features(samples, Spec(stft=stft, features=(feature,)))


@pytest.mark.parametrize("stft", STFTS)
@pytest.mark.parametrize(
    "feature",
    [
        LogMel(),
        LogMel(n_mels=40, fmin=50, fmax=7000),
        LogMel(n_mels=3),
        LogMel(n_mels=300, fmin=50, fmax=500),  # most lie between two bins, and hear nothing
        LogMel(top_db=None),
    ],
)
@pytest.mark.filterwarnings("ignore:Empty filters detected")
def test_log_mel(speech, stft, feature):
    mel = librosa.feature.melspectrogram(
        S=power(speech, stft),
        sr=SR,
        n_fft=stft.n_fft,
        n_mels=feature.n_mels,
        fmin=feature.fmin,
        fmax=feature.fmax,
    )
    expected = librosa.power_to_db(mel, top_db=feature.top_db).T
    np.testing.assert_allclose(ours(speech, stft, feature), expected, atol=1e-3)


@pytest.mark.parametrize("stft", STFTS)
@pytest.mark.parametrize("deltas", [0, 1, 2])
def test_mfcc(speech, stft, deltas):
    mel = librosa.feature.melspectrogram(S=power(speech, stft), sr=SR, n_fft=stft.n_fft, n_mels=128)
    static = librosa.feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=40)
    orders = [librosa.feature.delta(static, order=order) for order in range(1, deltas + 1)]
    expected = np.concatenate([static, *orders]).T
    np.testing.assert_allclose(ours(speech, stft, Mfcc(deltas=deltas)), expected, atol=1e-3)


def test_a_slope_needs_as_many_frames_as_it_is_taken_over(speech):
    with pytest.raises(ValueError, match="over 9 frames, and there are 8"):
        ours(speech[: 7 * Stft().hop_length], Stft(), Mfcc(deltas=1))


@pytest.mark.parametrize("stft", STFTS)
@pytest.mark.parametrize("n_chroma", [12, 24])
def test_chroma(speech, stft, n_chroma):
    expected = librosa.feature.chroma_stft(
        S=power(speech, stft), sr=SR, n_fft=stft.n_fft, n_chroma=n_chroma, tuning=0.0
    ).T
    np.testing.assert_allclose(ours(speech, stft, Chroma(n_chroma=n_chroma)), expected, atol=1e-4)


@pytest.mark.parametrize("stft", STFTS)
def test_rms(speech, stft):
    magnitude = np.sqrt(power(speech, stft))
    expected = librosa.feature.rms(S=magnitude, frame_length=stft.n_fft).T
    np.testing.assert_allclose(ours(speech, stft, Rms()), expected, atol=1e-4)


@pytest.mark.parametrize("stft", STFTS)
def test_zcr(speech, stft):
    expected = librosa.feature.zero_crossing_rate(
        speech, frame_length=stft.n_fft, hop_length=stft.hop_length
    ).T
    np.testing.assert_allclose(ours(speech, stft, Zcr()), expected, atol=1e-7)


def test_features_stand_in_the_order_of_the_spec(speech):
    together = features(speech, Spec(features=(Rms(), LogMel(n_mels=20), Zcr())))
    parts = [ours(speech, Stft(), feature) for feature in (Rms(), LogMel(n_mels=20), Zcr())]
    np.testing.assert_array_equal(together, np.concatenate(parts, axis=1))


@settings(max_examples=30)
@given(n_samples=st.integers(1, 80_000), seed=st.integers(0, 99))
def test_any_length_gives_the_shape_that_the_spec_promises(n_samples, seed):
    spec = Spec(features=(LogMel(), Mfcc(n_mfcc=13, deltas=1), Chroma(), Rms(), Zcr()))
    samples = np.random.default_rng(seed).normal(size=n_samples).astype(np.float32)
    matrix = extract(samples, spec)
    assert matrix.shape == (spec.frames, spec.width)
    assert matrix.dtype == np.float32
    assert np.isfinite(matrix).all()


@pytest.mark.parametrize("gain_db", [-40, -20, 20])
def test_level_does_not_change_what_is_heard(speech, gain_db):
    gain = np.float32(10 ** (gain_db / 20))
    np.testing.assert_allclose(extract(speech * gain, Spec()), extract(speech, Spec()), atol=1e-2)


def test_silence_is_finite():
    assert np.isfinite(extract(np.zeros(SR, dtype=np.float32), Spec())).all()


@settings(max_examples=60)
@given(
    n_before=st.integers(0, 9_000),
    n_sound=st.integers(1, 3_000),
    n_after=st.integers(0, 9_000),
    n_fft=st.sampled_from([1023, 1024]),
    hop_length=st.sampled_from([160, 256, 301, 1500]),
    deltas=st.sampled_from([0, 2]),
)
def test_silence_around_a_sound_is_what_it_would_be_if_it_were_computed(
    n_before, n_sound, n_after, n_fft, hop_length, deltas
):
    spec = Spec(
        stft=Stft(n_fft=n_fft, win_length=640, hop_length=hop_length),
        features=(LogMel(), Mfcc(n_mfcc=13, deltas=deltas), Chroma(), Rms(), Zcr(), Pitch()),
    )
    sound = np.random.default_rng(n_sound).normal(size=n_sound).astype(np.float32)
    padded = np.pad(sound, (n_before, n_after))
    if deltas and 1 + padded.size // hop_length < 10:
        return  # a slope is taken over nine frames
    filled = padded.copy()
    filled[[0, -1]] += np.float32(1e-30)  # nobody hears it, and no zero
    np.testing.assert_allclose(features(padded, spec), features(filled, spec), atol=1e-3)


def steady(hertz, seconds=1.0):
    """Nine harmonics that do not move."""
    time = np.arange(round(seconds * SR)) / SR
    return sum(np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 10)).astype(np.float32)


LONG = Stft(n_fft=1024, win_length=640, hop_length=256)


# A spectrum is symmetric about a place between two bins, about none, or about a bin.
@pytest.mark.parametrize("n_fft", [1022, 1023, 1024])
@pytest.mark.parametrize("hertz", [75.0, 110.0, 196.3, 250.0, 440.0, 580.0])
def test_pitch_of_a_hum(hertz, n_fft):
    found = ours(steady(hertz), LONG.model_copy(update={"n_fft": n_fft}), Pitch())[5:-5]
    assert found.dtype == np.float32
    assert (found[:, 0] > 0.95).all()
    middle = np.sqrt(65 * 600)
    np.testing.assert_allclose(middle * 2 ** found[:, 1], hertz, rtol=0.01)
    assert np.ptp(found[:, 2]) < 0.02


def test_pitch_moves_with_the_voice_and_its_mean_does_not_count_in_the_last_column():
    low, high = steady(150.0), steady(300.0)
    found = ours(np.concatenate([low, high]), LONG, Pitch())
    first, second = found[10:50], found[75:115]
    assert np.median(second[:, 1]) - np.median(first[:, 1]) == pytest.approx(1, abs=0.02)
    assert np.median(first[:, 2]) == pytest.approx(-0.5, abs=0.05)
    assert np.median(second[:, 2]) == pytest.approx(0.5, abs=0.05)


def test_pitch_of_speech_is_what_librosa_finds(speech):
    found = ours(speech, LONG, Pitch())
    f0, voiced, _ = librosa.pyin(
        speech, fmin=65, fmax=600, sr=SR, frame_length=1024, hop_length=LONG.hop_length
    )
    both = voiced[: len(found)] & (found[:, 0] > 0.5)
    assert both.sum() > 20
    octaves = np.log2(f0[: len(found)][both] / np.sqrt(65 * 600)) * found[both, 0]
    assert np.mean(np.abs(octaves - found[both, 1]) < 0.06) > 0.9


def test_noise_rumble_and_silence_have_no_pitch():
    noise = np.random.default_rng(0).normal(scale=0.1, size=SR)
    rumble = np.sin(2 * np.pi * 30 * np.arange(SR) / SR)
    for sound in (noise, noise + 0.3, np.cumsum(noise) / 10, rumble, np.ones(SR)):
        assert ours(sound.astype(np.float32), LONG, Pitch())[5:-5, 0].mean() < 0.2
    assert not ours(np.zeros(SR, np.float32), LONG, Pitch()).any()


def test_frames_too_short_for_the_lowest_voice_are_refused():
    with pytest.raises(ValueError, match=r"needs an stft\.win_length of 494 samples or more"):
        Spec(features=(Pitch(),), stft=Stft(n_fft=512, win_length=400))
