"""A folder of recordings to clips that know who speaks, how, and where they lie.

The corpora say everything in their file names, which are kept as published:

- RAVDESS (Livingstone and Russo 2018, https://doi.org/10.1371/journal.pone.0196391):
  ``modality-channel-emotion-intensity-statement-repetition-actor``, as ``03-01-05-02-01-01-12``.
  Its speech and its song are two corpora here, by the same people.
- TESS (Dupuis and Pichora-Fuller 2010, https://doi.org/10.5683/SP2/E8H2MF):
  ``speaker_word_emotion``, as ``OAF_back_angry``.

Only WAV and FLAC files are looked at, and hidden ones are not. Folders do not matter, so the
publishers' archives, flat folders and mirrors that hold each clip twice are all read.
"""

import filecmp
import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

import soundfile

from training.clip import Clip, recordings
from training.errors import CorpusError
from training.own import read_own
from undertone import emotions

SAME_PEOPLE: Final = (frozenset({"ravdess", "ravdess-song"}),)
"""Corpora whose speakers are each other's."""


def read_ravdess(root: Path) -> tuple[Clip, ...]:
    """RAVDESS speech (1440 clips where it is complete), by name.

    Song that lies among it is passed over.

    Args:
        root: the corpus, or a folder with a ``ravdess`` folder in it.

    Raises:
        CorpusError: it is not there, or holds WAV or FLAC files that do not belong.
    """
    return _read("ravdess", root, _ravdess)


def read_ravdess_song(root: Path) -> tuple[Clip, ...]:
    """RAVDESS song (1012 clips where it is complete), by name; speech among it is passed over.

    Args:
        root: the corpus, or a folder with a ``ravdess-song`` folder in it.

    Raises:
        CorpusError: it is not there, or holds WAV or FLAC files that do not belong.
    """
    return _read("ravdess-song", root, _ravdess)


def read_tess(root: Path) -> tuple[Clip, ...]:
    """TESS (2800 clips where it is complete), by name.

    Args:
        root: the corpus, or a folder with a ``tess`` folder in it.

    Raises:
        CorpusError: it is not there, or holds WAV or FLAC files that do not belong.
    """
    return _read("tess", root, _tess)


READERS: Final[Mapping[str, Callable[[Path], tuple[Clip, ...]]]] = {
    "ravdess": read_ravdess,
    "ravdess-song": read_ravdess_song,
    "tess": read_tess,
}


def read(corpus: str, root: Path) -> tuple[Clip, ...]:
    """The clips of the corpus of that name, by name.

    Args:
        corpus: one of `READERS`, or the name of a folder in ``root`` that `training.own` reads.
        root: the corpus, or a folder with a folder named ``corpus`` in it.

    Raises:
        CorpusError: no such corpus; or what its reader raises.
    """
    if corpus in READERS:
        return READERS[corpus](root)
    if not (root / corpus).is_dir():
        raise CorpusError(
            f"no corpus {corpus!r} is known, and there is no folder of that name in {root}; known are "
            f"{', '.join(READERS)}"
        )
    return read_own(corpus, root / corpus)


def sex(speaker: str) -> Literal["women", "men"] | None:
    """Whether the corpus has that speaker among its women or its men; None where it does not say."""
    corpus, _, name = speaker.partition("/")
    if corpus == "ravdess" and name.isdecimal():
        return "men" if int(name) % 2 else "women"
    return "women" if corpus == "tess" else None


def audio_hash(path: Path) -> str:
    """SHA-256 of the decoded samples: equal for equal audio, whatever file it lies in.

    The samples are hashed as float64, which holds 8- to 32-bit PCM exactly, so a WAV file and the
    FLAC file made from it agree. The sample rate is no part of it.

    Raises:
        CorpusError: the file cannot be decoded.
    """
    try:
        samples, _ = soundfile.read(path, dtype="float64", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise CorpusError(f"{path} cannot be read as audio: {error}") from error
    return hashlib.sha256(samples.astype("<f8").tobytes()).hexdigest()


def _read(corpus: str, root: Path, parse: Callable[[Path], Clip]) -> tuple[Clip, ...]:
    home = _home(corpus, root)
    clips: dict[str, Clip] = {}
    for path in recordings(home):
        clip = parse(path)
        if clip.corpus != corpus:
            continue
        first = clips.setdefault(clip.name, clip).path
        if first != path and not _same_audio(first, path):
            raise CorpusError(
                f"{first} and {path} have the same name and are different recordings; "
                "keep the one that the corpus publishes"
            )
    if not clips:
        raise CorpusError(f"{home} holds no WAV or FLAC file of {corpus}; {_hint(corpus)}")
    return tuple(clips[name] for name in sorted(clips))


def _home(corpus: str, root: Path) -> Path:
    """The folder of ``corpus``: ``root`` itself, unless ``root`` is a folder of corpora."""
    if (root / corpus).is_dir():
        return root / corpus
    if not root.is_dir() or any((root / other).is_dir() for other in READERS):
        raise CorpusError(f"there is no {corpus} folder at {root}; {_hint(corpus)}")
    return root


def _hint(corpus: str) -> str:
    return f"`undertone-train download {corpus}` fetches it"


def _same_audio(one: Path, other: Path) -> bool:
    # Comparing bytes first spares mirrors with two copies of everything the decoding of both.
    return filecmp.cmp(one, other, shallow=False) or audio_hash(one) == audio_hash(other)


def _codes(*meanings: str) -> dict[str, str]:
    return {f"{code:02d}": meaning for code, meaning in enumerate(meanings, start=1)}


_FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "modality": {"03": "audio only"},
    "channel": _codes("ravdess", "ravdess-song"),
    "emotion": _codes(*emotions.RAVDESS),
    "intensity": _codes("normal", "strong"),
    "statement": _codes("Kids are talking by the door", "Dogs are sitting by the door"),
    "repetition": _codes("1", "2"),
    "actor": _codes(*(f"ravdess/{actor:02d}" for actor in range(1, 25))),
}
"""What stands in a RAVDESS file name, in order, and what each code means here."""


def _ravdess(path: Path) -> Clip:
    codes = path.stem.split("-")
    if len(codes) != len(_FIELDS):
        raise CorpusError(
            f"{path} does not belong in RAVDESS: names look like 03-01-05-02-01-01-12.wav, "
            f"which is {'-'.join(_FIELDS)}"
        )
    found = dict(zip(_FIELDS, codes, strict=True))
    for field, code in found.items():
        if code not in _FIELDS[field]:
            known = ", ".join(_FIELDS[field])
            raise CorpusError(
                f"{path} does not belong in RAVDESS: its {field} is {code!r}, known are {known}"
            )
    folder = re.fullmatch(r"Actor_(\d+)", path.parent.name, re.IGNORECASE)
    if folder and int(folder[1]) != int(found["actor"]):
        raise CorpusError(
            f"{path} names actor {found['actor']} and lies in the folder of actor {folder[1]}; "
            "move it to where it belongs"
        )
    meaning = {field: _FIELDS[field][code] for field, code in found.items()}
    return Clip(
        path=path,
        name=path.stem,
        corpus=meaning["channel"],
        speaker=meaning["actor"],
        emotion=meaning["emotion"],
        statement=meaning["statement"],
        intensity="strong" if meaning["intensity"] == "strong" else "normal",
        repetition=int(meaning["repetition"]),
    )


# One clip is published as OA_bite_neutral. No word has an underscore in it.
_TESS: Final = re.compile(r"(OAF?|YAF)_([a-z]+)_(angry|disgust|fear|happy|neutral|ps|sad)")


def _tess(path: Path) -> Clip:
    match = _TESS.fullmatch(path.stem)
    if not match:
        raise CorpusError(
            f"{path} does not belong in TESS: names look like OAF_back_angry.wav, which is speaker "
            "(OAF, YAF), word, and emotion (angry, disgust, fear, happy, neutral, ps, sad)"
        )
    speaker, word, emotion = match.groups()
    return Clip(
        path=path,
        name=path.stem,
        corpus="tess",
        speaker="tess/YAF" if speaker == "YAF" else "tess/OAF",
        emotion=emotions.canonical(emotion),
        statement=f"Say the word {word}",
    )
