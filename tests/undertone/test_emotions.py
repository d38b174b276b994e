import pytest

from undertone import emotions


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("fear", "fearful"),
        ("ps", "surprised"),
        ("Pleasant surprise", "surprised"),
        ("pleasant_surprised", "surprised"),
        ("Sad", "sad"),
        ("calm", "calm"),
        (" anger ", "angry"),
    ],
)
def test_canonical(name, expected):
    assert emotions.canonical(name) == expected


def test_an_unknown_emotion_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'bored' is no emotion known here; known are neutral"):
        emotions.canonical("bored")


def test_every_label_has_a_sentiment():
    assert set(emotions.RAVDESS) | set(emotions.TESS) == set(emotions.SENTIMENT)
    assert set(emotions.ALIASES.values()) <= set(emotions.SENTIMENT)


def test_sentiment_sums_probabilities():
    label, score = emotions.sentiment(["happy", "angry", "sad", "neutral"], [0.4, 0.25, 0.25, 0.1])
    assert label == "negative"
    assert score == pytest.approx(0.5)
