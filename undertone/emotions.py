"""The emotions, what else people call them, and what sentiment each one carries."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

Sentiment = Literal["positive", "neutral", "negative"]

RAVDESS: Final = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
"""The eight emotions of RAVDESS speech, in the order of its file names (01 to 08)."""

TESS: Final = ("neutral", "happy", "sad", "angry", "fearful", "disgust", "surprised")
"""The seven emotions of TESS, under the names that RAVDESS gives them."""

SENTIMENT: Final[Mapping[str, Sentiment]] = {
    "neutral": "neutral",
    "calm": "positive",
    "happy": "positive",
    "sad": "negative",
    "angry": "negative",
    "fearful": "negative",
    "disgust": "negative",
    "surprised": "neutral",
}
"""Emotion to sentiment. Surprise goes both ways in life, and is counted as neutral here."""

SENTIMENTS: Final[tuple[Sentiment, ...]] = ("positive", "neutral", "negative")

ALIASES: Final[Mapping[str, str]] = {
    "anger": "angry",
    "disgusted": "disgust",
    "fear": "fearful",
    "happiness": "happy",
    "pleasant_surprise": "surprised",
    "pleasant_surprised": "surprised",
    "ps": "surprised",
    "sadness": "sad",
    "surprise": "surprised",
}


def canonical(name: str) -> str:
    """The name this project uses for the emotion that a corpus calls ``name``.

    >>> canonical("Pleasant surprise"), canonical("fear"), canonical("calm")
    ('surprised', 'fearful', 'calm')

    Raises:
        ValueError: no emotion is known by that name.
    """
    key = name.strip().lower().replace(" ", "_").replace("-", "_")
    emotion = ALIASES.get(key, key)
    if emotion not in SENTIMENT:
        known = ", ".join([*SENTIMENT, *ALIASES])
        raise ValueError(f"{name!r} is no emotion known here; known are {known}")
    return emotion


def sentiment(emotions: Sequence[str], probabilities: Sequence[float]) -> tuple[Sentiment, float]:
    """The likeliest sentiment and its probability: the emotions' probabilities, summed by `SENTIMENT`.

    >>> sentiment(["happy", "calm", "sad"], [0.25, 0.25, 0.5])
    ('positive', 0.5)
    """
    totals: dict[Sentiment, float] = dict.fromkeys(SENTIMENTS, 0.0)
    for emotion, probability in zip(emotions, probabilities, strict=True):
        totals[SENTIMENT[emotion]] += probability
    best = max(totals, key=totals.__getitem__)
    return best, totals[best]
