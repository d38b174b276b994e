import numpy as np
import pytest

import undertone
from undertone.bundle import read_golden
from undertone.saved_model import BATCH_SIZES, batch_size


def sizes(n: int) -> list[int]:
    """The batches that ``n`` rows are cut into."""
    found = []
    while n > 0:
        found.append(batch_size(n))
        n -= found[-1]
    return found


@pytest.mark.parametrize(
    ("n", "expected"),
    [(1, [1]), (2, [1, 1]), (3, [4]), (5, [4, 1]), (8, [8]), (20, [16, 4]), (33, [16, 16, 1])],
)
def test_rows_are_cut_into_batches_that_are_well_filled(n, expected):
    assert sizes(n) == expected


def test_no_batch_is_less_than_three_quarters_full():
    for n in range(1, 200):
        left = n
        for size in sizes(n):
            assert size in BATCH_SIZES
            assert min(left, size) >= 0.75 * size
            left -= size


def test_any_number_of_rows_is_answered_as_each_alone(exported):
    model = undertone.load(exported)
    shape = read_golden(model.bundle).features.shape[1:]
    rows = np.random.default_rng(0).standard_normal((21, *shape), np.float32)
    alone = np.concatenate([model.engine.infer(row[np.newaxis]) for row in rows])
    for n in (2, 3, 4, 5, 7, 8, 16, 21):
        np.testing.assert_allclose(model.engine.infer(rows[:n]), alone[:n], atol=1e-5)
