import numpy as np
import pytest

from training.augment import among_others, augment_batch, faster, noisy, variants
from training.recipe import Augmentation

SR = 16_000


@pytest.fixture
def tone():
    return np.sin(2 * np.pi * 440 * np.arange(SR) / SR).astype(np.float32)


@pytest.mark.parametrize("factor", [0.85, 1.0, 1.15])
def test_faster_is_shorter_and_higher(tone, factor):
    changed = faster(tone, SR, factor)
    assert changed.size == pytest.approx(SR / factor, abs=2)
    peak = np.argmax(np.abs(np.fft.rfft(changed))) * SR / changed.size
    assert peak == pytest.approx(440 * factor, rel=0.01)


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 30.0])
def test_noise_has_the_level_that_was_asked_for(tone, snr_db):
    for seed in range(5):
        noise = noisy(tone, snr_db, np.random.default_rng(seed)) - tone
        assert 10 * np.log10(np.mean(tone**2) / np.mean(noise**2)) == pytest.approx(snr_db, abs=0.1)


def test_the_clip_itself_comes_first_and_chance_is_the_generators(tone):
    settings = Augmentation(variants=3)
    once = variants(tone, SR, settings, np.random.default_rng(5))
    again = variants(tone, SR, settings, np.random.default_rng(5))
    assert len(once) == 4
    assert once[0] is tone
    for one, other in zip(once, again, strict=True):
        np.testing.assert_array_equal(one, other)


HIGH = np.sin(2 * np.pi * 5_000 * np.arange(SR) / SR).astype(np.float32)
"""Above what a telephone carries."""

GROWING = HIGH * np.linspace(0.1, 1, SR, dtype=np.float32)
"""Of which the last peaks are the highest."""


def energies(settings, sound):
    """Of the copies that are not in noise, against the sound."""
    quiet = Augmentation(variants=6, speed=(1, 1), **settings)
    copies = variants(sound, SR, quiet, np.random.default_rng(5))
    np.testing.assert_array_equal(copies[0], sound)
    return [np.mean(np.square(copy)) / np.mean(np.square(sound)) for copy in copies[1::2]]


@pytest.mark.parametrize(
    ("way", "least", "most"), [("room", 1.2, 3), ("telephone", 0, 0.01), ("clipping", 0.5, 0.999)]
)
def test_copies_travel_as_the_settings_say(way, least, most):
    assert all(least < energy < most for energy in energies({way: 1}, GROWING))
    assert energies({}, GROWING) == pytest.approx([1, 1, 1], abs=1e-3)


def test_copies_in_noise_stand_in_babble_where_the_settings_say_so(tone):
    for part, is_tonal in ((1, True), (0, False)):
        settings = Augmentation(variants=6, speed=(1, 1), noise_snr_db=(10, 10), babble=part)
        for copy in variants(tone, SR, settings, np.random.default_rng(5))[2::2]:
            power = np.abs(np.fft.rfft(copy - tone)) ** 2
            near = slice(round(440 * 0.6), round(440 * 1.5))
            assert bool(power[near].sum() > 0.9 * power.sum()) is is_tonal


def test_babble_is_of_the_voice_itself_and_as_loud_as_was_asked_for(tone):
    voice = tone * np.linspace(0, 1, SR, dtype=np.float32)
    noise = among_others(voice, SR, 10.0, np.random.default_rng(0)) - voice
    assert 10 * np.log10(np.mean(voice**2) / np.mean(noise**2)) == pytest.approx(10.0, abs=0.1)
    spectrum = np.abs(np.fft.rfft(noise))
    assert 440 * 0.65 < np.argmax(spectrum) < 440 * 1.45


def test_recipes_that_leave_it_out_hear_what_they_always_heard(tone):
    plain = Augmentation(variants=6)
    generator = np.random.default_rng(5)
    expected = [tone]
    for index in range(6):
        copy = faster(tone, SR, generator.uniform(*plain.speed))
        if index % 2:
            copy = noisy(copy, generator.uniform(*plain.noise_snr_db), generator)
        expected.append(copy)
    found = variants(tone, SR, plain, np.random.default_rng(5))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_how_clips_travel_is_the_generators(tone):
    half = Augmentation(variants=6, babble=0.5, room=0.5, clipping=0.5, telephone=0.5)
    once, again = (variants(tone, SR, half, np.random.default_rng(5)) for _ in range(2))
    for one, other in zip(once, again, strict=True):
        np.testing.assert_array_equal(one, other)


def batch(n=6, frames=50, width=20):
    features = np.random.default_rng(0).normal(5, 1, (n, frames, width)).astype(np.float32)
    return features, np.eye(3, dtype=np.float32)[np.arange(n) % 3]


def test_no_augmentation_is_no_change():
    features, targets = batch()
    off = Augmentation(shift=0, masks=0, mixup=0)
    same, same_targets = augment_batch(
        features.copy(), targets, np.zeros(20, np.float32), off, np.random.default_rng(0)
    )
    np.testing.assert_array_equal(same, features)
    np.testing.assert_array_equal(same_targets, targets)


def test_masks_hold_the_mean_and_leave_the_rest():
    features, targets = batch()
    fill = np.full(20, -7, np.float32)
    settings = Augmentation(shift=0, masks=1, time_mask=10, frequency_mask=5, mixup=0)
    masked, _ = augment_batch(features.copy(), targets, fill, settings, np.random.default_rng(1))
    changed = masked != features
    assert 0 < changed.mean() < 0.5
    assert (masked[changed] == -7).all()


def test_mixup_mixes_features_and_targets_alike():
    features, targets = batch()
    # Column 0 says which emotion it is, as the target does: it has to stay so.
    features[:, :, :3] = targets[:, None, :]
    settings = Augmentation(shift=0, masks=0, mixup=0.4)
    mixed, mixed_targets = augment_batch(
        features.copy(), targets, np.zeros(20, np.float32), settings, np.random.default_rng(2)
    )
    np.testing.assert_allclose(mixed[:, 0, :3], mixed_targets, atol=1e-6)
    np.testing.assert_allclose(mixed_targets.sum(axis=1), 1, atol=1e-6)
    assert (mixed_targets.max(axis=1) < 1).any()
