import contextlib

import numpy as np
import pytest
import soundfile

import undertone
from tests.support.pipes import filled
from undertone import audio, wav
from undertone.bundle import Bundle
from undertone.classifier import Classifier, windows
from undertone.errors import AudioTooLong, AudioTooShort, NoSpeech

SR = 16_000


@pytest.fixture(scope="module")
def model(exported):
    return undertone.load(exported)


def scores(prediction):
    return {emotion.label: emotion.score for emotion in prediction.probabilities}


def test_a_clip_gets_probabilities(model, hello):
    prediction = model.predict(hello)
    assert set(scores(prediction)) == set(model.manifest.emotions)
    assert sum(scores(prediction).values()) == pytest.approx(1, abs=1e-9)
    assert prediction.label == prediction.probabilities[0].label
    ranked = [emotion.score for emotion in prediction.probabilities]
    assert ranked == sorted(ranked, reverse=True)
    assert prediction.model == ("tiny", "0.0.1")
    assert prediction.audio.sample_rate == 22_050


def test_path_bytes_and_samples_are_one_clip(model, hello):
    sound = audio.read(hello, 22_050)
    by_path = scores(model.predict(hello))
    assert scores(model.predict(str(hello))) == by_path
    assert scores(model.predict(hello.read_bytes())) == by_path
    assert scores(model.predict(sound.samples, sr=22_050)) == by_path


def test_samples_need_their_rate_and_files_have_one(model, hello):
    with pytest.raises(TypeError, match="samples need their rate"):
        model.predict(np.zeros(16_000, np.float32))
    with pytest.raises(TypeError, match="a file states its own rate"):
        model.predict(hello, sr=16_000)
    with pytest.raises(TypeError, match="samples come as an array"):
        model.predict([0.0] * 16_000, sr=16_000)


@pytest.mark.parametrize("kind", ["path", "pipe", "flac", "bytes", "samples"])
def test_each_channel_is_heard_for_itself(model, hello, tmp_path, kind):
    samples, sr = soundfile.read(hello, dtype="int16")
    other = np.roll(samples, 7_000) // 2
    stereo = np.stack([samples, np.zeros_like(samples), other], axis=1)
    data = wav.encode(stereo / np.float32(2**15), sr)
    path = tmp_path / "call"
    with contextlib.ExitStack() as open_:
        match kind:
            case "pipe":
                path = open_.enter_context(filled(path, data))
            case "flac":
                soundfile.write(path, stereo, sr, format="FLAC")
            case _:
                path.write_bytes(data)
        source = {"bytes": data, "samples": stereo}.get(kind, path)
        rate = sr if kind == "samples" else None
        heard = model.predict(source, rate, segments=True, split_channels=True)
    first, silent, third = heard.channels
    for channel, alone in ((first, samples), (third, other)):
        expected = model.predict(alone, sr, segments=True)
        assert scores(channel) == pytest.approx(scores(expected), abs=1e-5)
        assert len(channel.segments) == len(expected.segments)
    assert isinstance(silent, NoSpeech)
    assert scores(heard) == pytest.approx(scores(model.predict(stereo, sr)), abs=1e-5)
    assert heard.timing_ms.total > first.timing_ms.total
    assert model.predict(stereo, sr).channels is None


def test_limits_hold_for_whatever_is_heard(model, hello):
    sound = audio.read(hello, None)
    assert sound.sr == sound.sample_rate == 22_050
    for source, sr in ((hello, None), (hello.read_bytes(), None), (sound.samples, 22_050)):
        with pytest.raises(AudioTooLong):
            model.predict(source, sr, limits=audio.Limits(max_duration_s=1))


def test_nothing_to_hear(model):
    with pytest.raises(NoSpeech):
        model.predict(np.zeros(16_000, np.float32), sr=16_000)
    with pytest.raises(AudioTooShort):
        model.predict(np.ones(160, np.float32), sr=16_000)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 32, 33, 70])
def test_the_size_of_a_batch_changes_nothing(model, n):
    spec = model.spec
    generator = np.random.default_rng(n)
    features = generator.normal(-40, 20, (n, spec.frames, spec.width)).astype(np.float32)
    together = model.engine.infer(features)
    alone = np.concatenate([model.engine.infer(row[None]) for row in features])
    assert together.shape == (n, len(model.manifest.emotions))
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_a_pause_in_a_long_clip_gets_no_vote(model, hello):
    speech = audio.read(hello, 16_000).samples
    pause = np.random.default_rng(0).normal(scale=1e-3, size=20 * 16_000).astype(np.float32)
    alone = scores(model.predict(np.concatenate([speech, speech[:48_000]]), sr=16_000))
    prediction = model.predict(np.concatenate([speech, speech, pause]), sr=16_000, segments=True)
    silent = [each for each in prediction.segments if each.reason]
    assert len(silent) > 30
    assert all(each.start > 5 for each in silent)
    assert len(alone) == 8
    for label, score in scores(prediction).items():
        assert score == pytest.approx(alone[label], abs=0.1)


def test_where_nobody_speaks_nothing_is_heard(model):
    noise = np.random.default_rng(0).normal(scale=0.1, size=20 * 16_000).astype(np.float32)
    for seconds in (2, 20):
        with pytest.raises(NoSpeech):
            model.predict(noise[: seconds * 16_000], sr=16_000)


def test_a_long_clip_is_the_mean_of_its_windows(model, hello):
    speech = np.tile(audio.read(hello, 16_000).samples, 4)
    prediction = model.predict(speech, sr=16_000)
    mean = model.engine.infer(windows(speech, model.spec)).mean(axis=0)
    for emotion, score in zip(model.manifest.emotions, mean, strict=True):
        assert scores(prediction)[emotion] == pytest.approx(float(score), abs=1e-6)


def test_a_model_says_when_it_is_less_sure_than_it_mostly_is(model, hello):
    sure = model.predict(hello).score

    def codes(threshold: float | None, samples: np.ndarray) -> list[str]:
        manifest = model.manifest.model_copy(update={"abstention_threshold": threshold})
        doubting = Classifier(Bundle(model.bundle.path, manifest), model.engine)
        return [notice.code for notice in doubting.predict(samples, sr=SR).warnings]

    sentence = audio.read(hello, SR).samples
    snatch = 0.5 * np.sin(2 * np.pi * 440 * np.arange(1_600) / SR).astype(np.float32)
    assert codes(None, sentence) == codes(sure - 1e-6, sentence) == []
    assert codes(sure + 1e-6, sentence) == ["low_confidence"]
    assert codes(1.0, snatch) == codes(None, snatch) == ["low_confidence"], "once is enough"
