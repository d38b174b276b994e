"""Two models on the same clips of the same unheard people: is one better, or was it luck?

The person is the unit, not the clip: clips of one person are right or wrong together. The test swaps the
two models' answers person by person (a permutation test, exact in its level; Good 2005, Permutation,
Parametric and Bootstrap Tests of Hypotheses); the interval draws people with replacement.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.errors import RunError
from training.predictions import Predictions

_DRAWS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Paired:
    """The first model's UAR less the second's.

    Attributes:
        first: UAR of the first, pooled over folds, the mean over its seeds.
        second: the same of the other.
        ci95: 95 % interval of their difference, bootstrap over speakers.
        p: two-sided, of the permutation test over speakers.
        n_speakers: how many there are.
    """

    first: float
    second: float
    ci95: tuple[float, float]
    p: float
    n_speakers: int

    @property
    def difference(self) -> float:
        """Positive where the first is better."""
        return self.first - self.second


def paired(first: Predictions, second: Predictions, *, seed: int = 0) -> Paired:
    """Compare two tables of test predictions, each of one or several seeds.

    Raises:
        RunError: they are not of the same clips and emotions.
    """
    if first.emotions != second.emotions or set(first.file) != set(second.file):
        raise RunError("only predictions of the same clips, with the same emotions, can be paired")
    speakers = sorted(set(first.speaker))
    support, ours = _tally(first, speakers)
    same, theirs = _tally(second, speakers)
    if not np.array_equal(support, same):
        raise RunError("the two tables do not agree on who spoke, or on what was acted")
    generator = np.random.default_rng(seed)
    n = len(speakers)
    weights = generator.multinomial(n, np.full(n, 1 / n), size=_DRAWS).astype(np.float64)
    spread = _uar(weights @ support, weights @ ours) - _uar(weights @ support, weights @ theirs)
    total = support.sum(axis=0)
    sign = generator.choice([-1.0, 1.0], size=(_DRAWS, n))
    middle, half = (ours + theirs).sum(axis=0) / 2, sign @ ((ours - theirs) / 2)
    chance = _uar(total, middle + half) - _uar(total, middle - half)
    one, other = (float(_uar(total, hits.sum(axis=0))) for hits in (ours, theirs))
    as_far = np.abs(chance) >= abs(one - other) - 1e-12
    low, high = np.quantile(spread, [0.025, 0.975])
    return Paired(
        first=one,
        second=other,
        ci95=(float(low), float(high)),
        p=float((1 + as_far.sum()) / (1 + _DRAWS)),
        n_speakers=n,
    )


def _tally(
    table: Predictions, speakers: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Clips, and clips that were right, ``float[speakers, emotions]``: means over seeds."""
    shape = (len(speakers), len(table.emotions))
    support, hits = np.zeros(shape), np.zeros(shape)
    owner = np.array([speakers.index(name) for name in table.speaker])
    right = table.probabilities.argmax(axis=1) == table.truth
    np.add.at(support, (owner, table.truth), 1)
    np.add.at(hits, (owner, table.truth), right)
    n_seeds = len(table.seeds)
    return support / n_seeds, hits / n_seeds


def _uar(support: NDArray[np.float64], hits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the last axis; emotions that nobody acts do not count."""
    with np.errstate(invalid="ignore"):
        scores: NDArray[np.float64] = np.nanmean(hits / np.where(support, support, np.nan), axis=-1)
    return scores
