"""Who is on which side, as data.

The RAVDESS folds are those of EmoBox (Ma et al. 2024, https://arxiv.org/abs/2406.07162), which the
literature since compares on. Every split is by speaker unless its name says otherwise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from training.clip import Clip
from training.errors import CorpusError

EMOBOX: Final[Mapping[int, tuple[int, ...]]] = {
    1: (1, 11, 20, 21),
    2: (4, 10, 12, 14),
    3: (8, 9, 19, 23),
    4: (3, 5, 7, 24),
    5: (2, 15, 16, 18),
    6: (6, 13, 17, 22),
}
"""Test actors of each EmoBox fold of RAVDESS; each actor is tested exactly once."""

FIVE: Final[Mapping[int, tuple[int, ...]]] = {
    1: (2, 5, 14, 15, 16),
    2: (3, 6, 7, 13, 18),
    3: (10, 11, 12, 19, 20),
    4: (8, 17, 21, 23, 24),
    5: (1, 4, 9, 22),
}
"""Test actors of each of the five folds of Luna-Jiménez et al. 2021 (https://doi.org/10.3390/app12010327)."""


@dataclass(frozen=True, slots=True)
class Split:
    """Three disjoint sets of clips."""

    name: str
    train: tuple[Clip, ...]
    validation: tuple[Clip, ...]
    test: tuple[Clip, ...]

    @property
    def validates_on_heard(self) -> bool:
        """Whether somebody speaks in validation whom training has heard."""
        heard = {clip.speaker for clip in self.train}
        return any(clip.speaker in heard for clip in self.validation)


def by_actor(clips: Sequence[Clip], folds: Mapping[int, tuple[int, ...]], fold: int) -> Split:
    """A fold of RAVDESS: test on its actors, validate on those of the next, train on the rest.

    Clips of other corpora are of other people, and train.

    Args:
        clips: of RAVDESS, and of others.
        folds: the test actors of each: `EMOBOX` or `FIVE`.
        fold: one of them; the first comes after the last.

    Raises:
        ValueError: no such fold.
        CorpusError: an actor of it has no clip.
    """
    if fold not in folds:
        raise ValueError(f"fold {fold} does not exist; there are 1 to {len(folds)}")
    test = _speakers(folds[fold])
    validation = _speakers(folds[fold % len(folds) + 1])
    missing = (test | validation) - {clip.speaker for clip in clips}
    if missing:
        raise CorpusError(
            f"fold {fold} needs {', '.join(sorted(missing))}; their clips are missing"
        )
    return Split(
        name=f"fold-{fold}",
        train=tuple(clip for clip in clips if clip.speaker not in test | validation),
        validation=tuple(clip for clip in clips if clip.speaker in validation),
        test=tuple(clip for clip in clips if clip.speaker in test),
    )


def random(
    clips: Sequence[Clip], seed: int, *, test: float = 0.2, validation: float = 0.1
) -> Split:
    """A random split with each emotion's share kept; speakers stand on every side.

    It is how much of this field reports its results, and it measures memory for speakers as much as
    hearing of emotion. ``validation`` is a share of what ``test`` leaves.

    Raises:
        CorpusError: there are too few clips for three sides.
    """
    generator = np.random.default_rng(seed)
    rest, tested = _stratified(clips, test, generator)
    trained, validated = _stratified(rest, validation, generator)
    return _filled(Split("random", trained, validated, tested))


def within(clips: Sequence[Clip], seed: int, part: int, parts: int) -> Split:
    """`random` again, with another validation: one of the ``parts`` into which all that is not tested falls.

    So every clip but those of the test can have a say in what is chosen, none while it trains.

    Args:
        clips: as for `random`.
        seed: the same clips are tested as in `random` with it.
        part: from 1 on.
        parts: how many there are; each emotion's share is kept in all of them.

    Raises:
        ValueError: no such part.
    """
    if not 1 <= part <= parts:
        raise ValueError(f"part {part} does not exist; there are 1 to {parts}")
    whole = random(clips, seed)
    left = {*whole.train, *whole.validation}
    rest = tuple(clip for clip in clips if clip in left)
    generator = np.random.default_rng((seed, parts))
    for number in range(1, part + 1):
        others = tuple(clip for clip in rest if clip in left)
        _, validated = _stratified(others, 1 / (parts - number + 1), generator)
        left -= set(validated)
    trained = tuple(clip for clip in rest if clip not in set(validated))
    return Split(whole.name, trained, validated, whole.test)


def speaker(clips: Sequence[Clip], tested: str) -> Split:
    """Test on one speaker, train on all others; validation is carved at random out of the latter.

    Raises:
        CorpusError: no clip of that speaker, or of any other.
    """
    return held_out(clips, frozenset({tested}), tested)


def held_out(
    clips: Sequence[Clip], tested: frozenset[str], name: str, *, validation: float = 0.1
) -> Split:
    """Test on some speakers, train on all others; ``validation`` of the latter is carved out at random.

    Raises:
        CorpusError: no clip of those speakers, or of any other, or too few to validate.
    """
    test = tuple(clip for clip in clips if clip.speaker in tested)
    rest = tuple(clip for clip in clips if clip.speaker not in tested)
    if not test or not rest:
        known = ", ".join(sorted({clip.speaker for clip in clips}))
        raise CorpusError(
            f"cannot test on {', '.join(sorted(tested))} and train on others: speakers are {known}"
        )
    trained, validated = _stratified(rest, validation, np.random.default_rng(0))
    return _filled(Split(name, trained, validated, test))


def _filled(split: Split) -> Split:
    """The split, if there is somebody on every side of it."""
    for side, clips in (
        ("train", split.train),
        ("validate", split.validation),
        ("be tested", split.test),
    ):
        if not clips:
            raise CorpusError(
                f"{split.name}: no clip is left to {side}: record more; three of an emotion are the least, "
                "and say nothing yet"
            )
    return split


def _speakers(actors: Sequence[int]) -> frozenset[str]:
    return frozenset(f"ravdess/{actor:02d}" for actor in actors)


def _stratified(
    clips: Sequence[Clip], share: float, generator: np.random.Generator
) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """``clips`` without a random ``share`` of each emotion, and that share; both in the order given.

    Of an emotion with two clips or more, one at least is picked, however small the share.
    """
    chosen: set[int] = set()
    for emotion in sorted({clip.emotion for clip in clips}):
        members = [index for index, clip in enumerate(clips) if clip.emotion == emotion]
        count = max(round(share * len(members)), 1 if len(members) > 1 else 0)
        picked = generator.permutation(members)[:count]
        chosen.update(picked.tolist())
    return (
        tuple(clip for index, clip in enumerate(clips) if index not in chosen),
        tuple(clip for index, clip in enumerate(clips) if index in chosen),
    )
