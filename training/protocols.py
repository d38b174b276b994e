"""How a recipe is measured: who trains, who validates and who is tested, fold by fold.

Each corpus has two protocols. ``unseen`` tests on speakers that training never heard. ``random`` is how
much of this field reports its results: one stratified split of all clips, 80 to 20, speakers, sentences
and repetitions on both sides. RAVDESS has a third, ``unseen-5``: other folds by actor, in which some report.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from training import splits
from training.clip import UNKNOWN, Clip
from training.errors import CorpusError, RunError
from training.splits import EMOBOX, FIVE, Split

Reported = Literal["unseen", "unseen-5", "random"]
"""What figures are given of."""

Kind = Reported | Literal["within-random"]
"""``within-random`` is for `training.screen` alone: its test is that of ``random``."""

KINDS: Final[tuple[Reported, ...]] = ("unseen", "unseen-5", "random")

FIVE_FOLDS: Final = "actors-5fold"
"""How the name of what ``unseen-5`` is ends."""

RANDOM: Final = "random"
"""The one fold of every random protocol."""

PARTS: Final = tuple(f"{RANDOM}-{number}" for number in range(1, 6))
"""Fifths of all that one seed's random split does not test: each can validate what the others train."""

_OF_RAVDESS: Final[Mapping[tuple[str, ...], str]] = {
    ("ravdess",): "RAVDESS speech, 8 emotions",
    ("ravdess", "tess"): "RAVDESS speech, 8 emotions, with TESS on the training side only",
}
"""Corpora that are tested on the actors of RAVDESS, and what is done with them."""

_GROUPS: Final = 5
"""Folds of a corpus that comes without any of its own."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """A name under which figures can be compared, and the split of each of its folds.

    Attributes:
        name: such as ``ravdess/emobox-6fold``.
        description: in words.
        folds: their names.
        split: ``split(fold, seed)``; only a random split depends on the seed.
    """

    name: str
    description: str
    folds: tuple[str, ...]
    split: Callable[[str, int], Split]

    def require(self, fold: str | None) -> str:
        """``fold`` if there is such a one; the first where none is named.

        Raises:
            RunError: there is not.
        """
        if fold is None:
            return self.folds[0]
        if fold not in self.folds:
            raise RunError(f"{self.name} has no fold {fold}; there are {', '.join(self.folds)}")
        return fold


def protocol(kind: Kind, corpora: Sequence[str], clips: Sequence[Clip]) -> Protocol:
    """The protocol of that kind for the clips of ``corpora``.

    Raises:
        CorpusError: a corpus does not say who speaks, or only one person does.
        RunError: these corpora have none of that kind.
    """
    if kind == "random":
        return Protocol(
            name=f"{'+'.join(corpora)}/random",
            description=(
                "stratified random 80/20, drawn anew with each seed, speakers on both sides; "
                "validation is a tenth of the 80"
            ),
            folds=(RANDOM,),
            split=lambda _, seed: splits.random(clips, seed),
        )
    if kind == "within-random":
        return Protocol(
            name=f"{'+'.join(corpora)}/within-random",
            description=f"what random does not test, in {len(PARTS)} parts, each of which validates once",
            folds=PARTS,
            split=lambda fold, seed: splits.within(clips, seed, 1 + PARTS.index(fold), len(PARTS)),
        )
    names = tuple(sorted(corpora))
    if kind == "unseen-5" and names not in _OF_RAVDESS:
        raise RunError(
            f"--protocol unseen-5 names actors of RAVDESS; {', '.join(corpora)} has none of them: "
            "--protocol unseen is for every corpus"
        )
    match names:
        case ("ravdess",) | ("ravdess", "tess"):
            return _by_actor(kind, names, clips)
        case ("tess",):
            return Protocol(
                name="tess/speakers",
                description=(
                    "TESS, 7 emotions: trained on one speaker, tested on the other, both ways; validated "
                    "on a tenth of the training speaker's clips; predictions pooled over both"
                ),
                folds=("OAF", "YAF"),
                split=lambda fold, _: splits.speaker(clips, f"tess/{fold}"),
            )
        case _:
            return _by_speaker(corpora, clips)


def _by_actor(kind: Kind, corpora: tuple[str, ...], clips: Sequence[Clip]) -> Protocol:
    """Folds of RAVDESS by actor, as they were published."""
    if kind == "unseen-5":
        name, folds, like = FIVE_FOLDS, FIVE, "Luna-Jiménez et al. 2021"
    else:
        name, folds, like = "emobox-6fold", EMOBOX, "EmoBox"
    heard = {24 - len(tested) - len(folds[fold % len(folds) + 1]) for fold, tested in folds.items()}
    others = " or ".join(str(count) for count in sorted(heard))
    return Protocol(
        name=f"{'+'.join(corpora)}/{name}",
        description=(
            f"{_OF_RAVDESS[corpora]}, {len(folds)} folds by actor as in {like}; fold k is validated on the "
            f"test actors of fold k+1 ({len(folds)} on 1) and trained on the other {others}; predictions "
            "pooled over folds"
        ),
        folds=tuple(str(fold) for fold in folds),
        split=lambda fold, _: splits.by_actor(clips, folds, int(fold)),
    )


def _by_speaker(corpora: Sequence[str], clips: Sequence[Clip]) -> Protocol:
    """Speakers dealt out in order of their names, each group tested once."""
    unknown = sorted({clip.corpus for clip in clips if clip.speaker.endswith(UNKNOWN)})
    if unknown:
        raise CorpusError(
            f"{', '.join(unknown)} does not say who speaks, so nobody can be kept unheard: put each "
            "speaker's clips in a folder of their own (EMOTION/SPEAKER/clip.wav) or name them in "
            "clips.csv; `--protocol random` works without"
        )
    speakers = sorted({clip.speaker for clip in clips})
    if len(speakers) < 2:
        raise CorpusError("only one person speaks; two are needed to test on one that is unheard")
    n_groups = min(_GROUPS, len(speakers))
    groups = {str(number + 1): frozenset(speakers[number::n_groups]) for number in range(n_groups)}
    return Protocol(
        name=f"{'+'.join(corpora)}/speakers",
        description=(
            f"{n_groups} folds by speaker; validated on a tenth of the training speakers' clips; "
            "predictions pooled over folds"
        ),
        folds=tuple(groups),
        split=lambda fold, _: splits.held_out(clips, groups[fold], fold),
    )
