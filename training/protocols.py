"""How a recipe is measured: who trains, who validates and who is tested, fold by fold.

Each corpus has two protocols. ``unseen`` tests on speakers that training never heard. ``random`` is how
much of this field reports its results: one stratified split of all clips, 80 to 20, speakers, sentences
and repetitions on both sides.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from training import splits
from training.clip import UNKNOWN, Clip
from training.errors import CorpusError, RunError
from training.splits import EMOBOX, Split

Kind = Literal["unseen", "random"]

KINDS: Final[tuple[Kind, ...]] = ("unseen", "random")

RANDOM: Final = "random"
"""The one fold of every random protocol."""

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
    match tuple(sorted(corpora)):
        case ("ravdess",):
            return _emobox(clips, "ravdess/emobox-6fold", "RAVDESS speech, 8 emotions")
        case ("ravdess", "tess"):
            return _emobox(
                clips,
                "ravdess+tess/emobox-6fold",
                "RAVDESS speech, 8 emotions, with TESS on the training side only",
            )
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


def _emobox(clips: Sequence[Clip], name: str, what: str) -> Protocol:
    return Protocol(
        name=name,
        description=(
            f"{what}, 6 folds by actor as in EmoBox; fold k is validated on the test actors of "
            "fold k+1 (6 on 1) and trained on the other 16; predictions pooled over folds"
        ),
        folds=tuple(str(fold) for fold in EMOBOX),
        split=lambda fold, _: splits.emobox(clips, int(fold)),
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
