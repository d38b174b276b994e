import numpy as np
import pytest

from tests.support.sounds import hum
from training.conditions import CONDITIONS, N_BABBLE, PLAIN, Scene, chosen
from training.errors import RunError
from training.predictions import Predictions
from training.robustness import losses

SR = 16_000
VOICES = [hum(2, sr=SR).astype(np.float32) * (0.1 + index) for index in range(N_BABBLE)]


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(hum(3, sr=SR).astype(np.float32), SR, VOICES, seed=7)


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def under(condition: str, scene: Scene) -> np.ndarray:
    samples, sr = CONDITIONS[condition](scene)
    assert sr == scene.sr
    return samples


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition_is_the_same_each_time_and_leaves_the_sound_as_it_was(condition, scene):
    before = scene.samples.copy()
    (first, sr), (again, _) = CONDITIONS[condition](scene), CONDITIONS[condition](scene)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(scene.samples, before)
    assert first.dtype == np.float32
    assert np.isfinite(first).all()
    assert 2.9 < len(first) / sr < 4.1
    assert condition == PLAIN or len(first) != len(before) or not np.array_equal(first, before)


@pytest.mark.parametrize("gain_db", [20, -20])
def test_loudness_is_a_factor_of_ten(gain_db, scene):
    name = "20 dB louder" if gain_db > 0 else "20 dB softer"
    assert rms(under(name, scene)) == pytest.approx(rms(scene.samples) * 10 ** (gain_db / 20))


@pytest.mark.parametrize("snr_db", [20, 10, 5])
@pytest.mark.parametrize("kind", ["white noise", "babble"])
def test_noise_is_as_far_below_the_sound_as_it_says(kind, snr_db, scene):
    noise = under(f"{kind}, {snr_db} dB", scene) - scene.samples
    assert 20 * np.log10(rms(scene.samples) / rms(noise)) == pytest.approx(snr_db, abs=0.01)


def test_a_telephone_carries_nothing_above_four_kilohertz(scene):
    samples, sr = CONDITIONS["telephone, 8 kHz mu-law"](scene)
    assert sr == 8_000
    assert len(set(samples.tolist())) <= 256


@pytest.mark.parametrize("sr", [16_000, 44_100])
def test_mp3_is_lossy_and_close(sr):
    scene = Scene(hum(3, sr=sr).astype(np.float32), sr, VOICES, seed=7)
    samples = under("MP3, 64 kb/s", scene)[: scene.samples.size]
    assert 0 < rms(samples - scene.samples[: samples.size]) < 0.2 * rms(scene.samples)


def test_a_room_dies_away_in_the_time_that_it_says():
    click = Scene(np.eye(1, SR, dtype=np.float32)[0], SR, VOICES, seed=7)
    samples = under("room, RT60 0.4 s", click)
    assert samples[0] == pytest.approx(1)
    assert np.sum(np.square(samples[1:])) == pytest.approx(1, rel=0.01)
    early, late = (rms(samples[start : start + 800]) for start in (800, 4_000))
    assert 20 * np.log10(early / late) == pytest.approx(60 * 3_200 / (0.4 * SR), abs=3)


def test_silence_stands_on_both_sides(scene):
    samples = under("silence around it, 0.5 s", scene)
    half = SR // 2
    np.testing.assert_array_equal(samples[half:-half], scene.samples)
    assert not samples[:half].any()
    assert not samples[-half:].any()


def test_a_tenth_of_the_peaks_is_cut_off():
    peaks = np.linspace(0.1, 1, 100).astype(np.float32)
    samples = np.stack([peaks / 2, peaks, -peaks, -peaks / 2], axis=1).ravel()
    cut = under("10 % of peaks clipped", Scene(samples, SR, VOICES, seed=7))
    assert np.count_nonzero(np.abs(samples) > np.abs(cut) + 1e-6) == 2 * 10
    assert np.abs(cut).max() == pytest.approx(np.quantile(np.repeat(peaks, 2), 0.9), abs=0.01)


def test_conditions_are_chosen_by_how_they_begin():
    assert chosen([]) == list(CONDITIONS)
    assert chosen(["babble", "MP3"]) == [
        "MP3, 64 kb/s",
        *(f"babble, {snr_db} dB" for snr_db in (20, 10, 5)),
    ]
    with pytest.raises(RunError, match="no condition 'rain'; there are: as recorded;"):
        chosen(["rain"])


def test_what_is_refused_is_wrong_and_not_counted_as_sure():
    def table(rows: list[list[float]]) -> Predictions:
        n = len(rows)
        return Predictions(
            emotions=("happy", "sad"),
            protocol=("p",) * n,
            fold=("1",) * n,
            seed=np.zeros(n, np.int64),
            revision=("r",) * n,
            file=tuple("abcd"[:n]),
            speaker=("s",) * n,
            truth=np.array([0, 0, 1, 1]),
            temperature=np.ones(n),
            probabilities=np.array(rows),
        )

    nothing = [np.nan, np.nan]
    plain, worse = losses(
        {
            PLAIN: table([[1, 0], [1, 0], [0, 1], [1, 0]]),
            "worse": table([nothing, [1, 0], [0, 1], nothing]),
        }
    )
    assert (plain.uar, plain.cost, plain.refused, plain.ece) == (0.75, 0, 0, 0.25)
    assert (worse.uar, worse.cost, worse.accuracy) == (0.5, 0.25, 0.5)
    assert (worse.refused, worse.ece) == (0.5, 0)
