"""Predictions per clip, as a CSV that anybody can open: what every figure of a model is computed from."""

import csv
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.errors import RunError

_FACTS: Final = ("protocol", "fold", "seed", "revision", "file", "speaker", "truth", "temperature")
_PREFIX: Final = "p_"


@dataclass(frozen=True, slots=True)
class Predictions:
    """One row a clip; rows of several folds and seeds may stand in one table.

    Attributes:
        emotions: names, in the order of the columns of ``probabilities``.
        protocol: what split it was, of each row.
        fold: of each row, ``str``.
        seed: of each row, ``int``.
        revision: of the code that trained the model of the row.
        file: the clip's name in its corpus.
        speaker: who spoke.
        truth: ``int[n]``, indices of ``emotions``.
        temperature: ``float[n]``, that of the model that made the row.
        probabilities: ``float[n, emotions]``, calibrated.
    """

    emotions: tuple[str, ...]
    protocol: tuple[str, ...]
    fold: tuple[str, ...]
    seed: NDArray[np.int64]
    revision: tuple[str, ...]
    file: tuple[str, ...]
    speaker: tuple[str, ...]
    truth: NDArray[np.int64]
    temperature: NDArray[np.float64]
    probabilities: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.file)

    def where(self, keep: NDArray[np.bool_]) -> "Predictions":
        """The rows for which ``keep`` (``bool[n]``) is true."""
        chosen = np.flatnonzero(keep).tolist()

        def pick(column: Sequence[str]) -> tuple[str, ...]:
            return tuple(column[index] for index in chosen)

        return Predictions(
            emotions=self.emotions,
            protocol=pick(self.protocol),
            fold=pick(self.fold),
            seed=self.seed[chosen],
            revision=pick(self.revision),
            file=pick(self.file),
            speaker=pick(self.speaker),
            truth=self.truth[chosen],
            temperature=self.temperature[chosen],
            probabilities=self.probabilities[chosen],
        )

    def of_seed(self, seed: int) -> "Predictions":
        """The rows of one seed."""
        return self.where(self.seed == seed)

    def of_fold(self, fold: str) -> "Predictions":
        """The rows of one fold."""
        return self.of_folds((fold,))

    def of_folds(self, folds: Collection[str]) -> "Predictions":
        """The rows of some folds."""
        return self.where(np.array([name in folds for name in self.fold], dtype=bool))

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that occur, sorted."""
        return tuple(sorted(set(self.seed.tolist())))

    @property
    def folds(self) -> tuple[str, ...]:
        """The folds that occur, sorted."""
        return tuple(sorted(set(self.fold)))


def write(path: Path, predictions: Predictions) -> None:
    """Write the table; probabilities with 7 digits, so that they read back within 1e-7."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*_FACTS, *(_PREFIX + emotion for emotion in predictions.emotions)])
        writer.writerows(_rows(predictions))


def read(path: Path) -> Predictions:
    """Read a table that `write` wrote.

    Raises:
        RunError: it is not there, or is no such table.
    """
    try:
        with path.open(newline="") as file:
            header, *rows = csv.reader(file)
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: no predictions there ({error})") from error
    if tuple(header[: len(_FACTS)]) != _FACTS or not rows:
        raise RunError(
            f"{path}: columns are {', '.join(header)}; expected {', '.join(_FACTS)}, p_…"
        )
    emotions = tuple(name.removeprefix(_PREFIX) for name in header[len(_FACTS) :])
    protocol, fold, seed, revision, name, speaker, truth, temperature = zip(
        *(row[: len(_FACTS)] for row in rows), strict=True
    )
    return Predictions(
        emotions=emotions,
        protocol=protocol,
        fold=fold,
        seed=np.array(seed, dtype=np.int64),
        revision=revision,
        file=name,
        speaker=speaker,
        truth=np.array([emotions.index(emotion) for emotion in truth], dtype=np.int64),
        temperature=np.array(temperature, dtype=np.float64),
        probabilities=np.array([row[len(_FACTS) :] for row in rows], dtype=np.float64),
    )


def concatenate(tables: Iterable[Predictions]) -> Predictions:
    """One table under another.

    Raises:
        RunError: there is none, or they know different emotions.
    """
    parts = list(tables)
    if len({part.emotions for part in parts}) != 1:
        raise RunError("predictions of different label sets cannot stand in one table")
    return Predictions(
        emotions=parts[0].emotions,
        protocol=tuple(row for part in parts for row in part.protocol),
        fold=tuple(row for part in parts for row in part.fold),
        seed=np.concatenate([part.seed for part in parts]),
        revision=tuple(row for part in parts for row in part.revision),
        file=tuple(row for part in parts for row in part.file),
        speaker=tuple(row for part in parts for row in part.speaker),
        truth=np.concatenate([part.truth for part in parts]),
        temperature=np.concatenate([part.temperature for part in parts]),
        probabilities=np.concatenate([part.probabilities for part in parts]),
    )


def _rows(predictions: Predictions) -> Iterator[list[object]]:
    for index in range(len(predictions)):
        yield [
            predictions.protocol[index],
            predictions.fold[index],
            predictions.seed[index],
            predictions.revision[index],
            predictions.file[index],
            predictions.speaker[index],
            predictions.emotions[predictions.truth[index]],
            f"{predictions.temperature[index]:.9g}",
            *(f"{value:.7g}" for value in predictions.probabilities[index]),
        ]
