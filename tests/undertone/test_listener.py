"""A stream is the file of the same samples, whatever the rate and wherever it is cut."""

import numpy as np
import pytest

import undertone
from tests.support.sounds import hum
from undertone import audio
from undertone.errors import AudioTooLong, AudioTooShort, NoSpeech, NotFinite, UnsupportedAudio
from undertone.limits import Limits


@pytest.fixture(scope="module")
def model(exported):
    return undertone.load(exported)


@pytest.fixture(scope="module")
def speech(hello):
    """9 s in which something is said, then nothing for 4 s, then something again."""
    sound = audio.read(hello, 22_050).samples
    pause = np.random.default_rng(0).normal(scale=1e-4, size=4 * 22_050).astype(np.float32)
    return np.concatenate([sound, sound, sound, pause, sound])


def pushed(listener, samples, seed):
    """What came out on the way, for frames of random sizes, and the end."""
    generator = np.random.default_rng(seed)
    segments, start = [], 0
    while start < len(samples):
        size = int(generator.choice([1, 7, 160, 1024, 4410, 30_000]))
        segments += listener.push(samples[start : start + size])
        start += size
    return segments, listener.finish()


def assert_same(one, other, tolerance=1e-5):
    assert (one.start, one.end, one.reason) == (other.start, other.end, other.reason)
    assert (one.probabilities is None) == (other.probabilities is None)
    if one.probabilities is not None:
        others = {emotion.label: emotion.score for emotion in other.probabilities}
        for emotion in one.probabilities:
            assert emotion.score == pytest.approx(others[emotion.label], abs=tolerance)


@pytest.mark.parametrize(
    ("sr", "seconds"),
    [(16_000, 13.3), (8_000, 6.0), (22_050, 9.7), (44_100, 3.04), (48_000, 4.3), (16_000, 0.3)],
)
def test_a_stream_ends_as_the_file_of_the_same_samples(model, speech, sr, seconds):
    resampled = audio.from_array(speech, 22_050, sr).samples[: round(seconds * sr)]
    samples = (resampled * 32767).astype(np.int16)
    shown, end = pushed(model.listen(sr), samples, seed=sr)
    expected = model.predict(samples, sr=sr, segments=True)
    assert len(end.segments) == len(expected.segments)
    for one, other in zip(end.segments, expected.segments, strict=True):
        assert_same(one, other)
    assert list(end.segments[: len(shown)]) == shown, "what was shown stays"
    assert len(end.segments) - len(shown) <= 1
    assert end.label == expected.label
    assert [each.score for each in end.probabilities] == pytest.approx(
        [each.score for each in expected.probabilities], abs=1e-5
    )
    assert (end.audio.duration_s, end.audio.encoding) == (expected.audio.duration_s, "pcm_s16")


def test_segments_change_nothing_about_the_answer(model, speech):
    for seconds in (2, 3, 5, 15):
        samples = speech[: seconds * 22_050]
        plain = model.predict(samples, sr=22_050)
        assert plain.segments is None
        with_segments = model.predict(samples, sr=22_050, segments=True)
        assert [each.score for each in with_segments.probabilities] == pytest.approx(
            [each.score for each in plain.probabilities], abs=1e-6
        )


def test_a_pause_has_a_reason_and_no_emotion(model, speech):
    segments = model.predict(speech, sr=22_050, segments=True).segments
    silent = [each for each in segments if each.reason]
    assert silent, "three seconds of the pause are one window"
    assert all(each.start >= 9 and each.end < 14 for each in silent)
    assert all(
        (each.label, each.score, each.reason) == (None, None, "no_speech") for each in silent
    )
    assert all(each.label for each in segments if not each.reason)


def test_something_comes_after_half_a_second(model):
    listener = model.listen(16_000)
    assert (listener.window_s, listener.hop_s) == (3.0, 0.5)
    sound = hum(seconds=1).astype(np.float32)
    assert listener.push(sound[:7_999]) == ()
    (segment,) = listener.push(sound[7_999:8_001])
    assert (segment.start, segment.end) == (0.0, 0.5)


def test_a_clipped_stream_is_warned_of(model):
    listener = model.listen(16_000)
    listener.push(np.sign(hum()).astype(np.float32))
    assert [notice.code for notice in listener.finish().warnings] == ["clipped"]


def test_what_a_file_is_refused_for_a_stream_is_too(model):
    with pytest.raises(UnsupportedAudio):
        model.listen(1_000)
    listener = model.listen(16_000, Limits(max_duration_s=1))
    with pytest.raises(UnsupportedAudio):
        listener.push(np.zeros((10, 2), np.int16))
    with pytest.raises(UnsupportedAudio):
        listener.push(np.zeros(10, np.complex64))
    with pytest.raises(NotFinite):
        listener.push(np.full(10, np.nan))
    listener.push(np.zeros(10_000, np.int16))
    with pytest.raises(AudioTooLong):
        listener.push(np.zeros(6_001, np.int16))
    with pytest.raises(NoSpeech):
        listener.finish()
    with pytest.raises(AudioTooShort):
        model.listen(16_000).finish()
    offset = model.listen(16_000)
    offset.push(np.full(16_000, 0.3, np.float32))
    with pytest.raises(NoSpeech, match="is silent"):
        offset.finish()


def test_a_listener_keeps_no_more_than_it_needs(model):
    listener = model.listen(16_000)
    for _ in range(60):
        listener.push(hum(seconds=0.5).astype(np.float32))
    kept = sum(block.size for block in listener._ear._reel._blocks)
    assert kept <= 6 * 16_000
