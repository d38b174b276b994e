"""The same recording under two names: it must not stand on two sides of a split, nor count twice.

Published corpora are compared by the names that their authors gave (`training.corpora`); of your own, only
the sound says it.
"""

from collections import defaultdict
from collections.abc import Sequence

import soundfile

from training.clip import Clip
from training.corpora import READERS, audio_hash
from training.errors import CorpusError


def require_no_twins(clips: Sequence[Clip]) -> None:
    """Refuse corpora of one's own in which a recording lies twice.

    Only clips of one length are decoded and compared.

    Args:
        clips: of any corpora; those that are published are passed over.

    Raises:
        CorpusError: two are the same sound, whatever files they are; or one cannot be read.
    """
    lengths: defaultdict[int, list[Clip]] = defaultdict(list)
    for clip in clips:
        if clip.corpus not in READERS:
            lengths[_n_frames(clip)].append(clip)
    for alike in lengths.values():
        found: dict[str, Clip] = {}
        for clip in alike if len(alike) > 1 else ():
            first = found.setdefault(audio_hash(clip.path), clip)
            if first is not clip:
                raise CorpusError(
                    f"{first.path} ({first.speaker}, {first.emotion}) and {clip.path} ({clip.speaker}, "
                    f"{clip.emotion}) are the same recording, which could train and be tested: keep one"
                )


def _n_frames(clip: Clip) -> int:
    try:
        return int(soundfile.info(clip.path).frames)
    except (soundfile.LibsndfileError, OSError) as error:
        raise CorpusError(f"{clip.path} cannot be read as audio: {error}") from error
