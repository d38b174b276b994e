from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertone.spec import Spec, Windows
from undertone.timeline import Grid, Reel, Span

SECOND = 16_000
GRID = Grid.of(Spec())


def seconds(spans):
    return [(span.start / SECOND, span.end / SECOND) for span in spans]


def test_a_window_ends_every_half_second_and_holds_three():
    assert seconds(GRID.spans(4 * SECOND)) == [
        *((0, 0.5), (0, 1), (0, 1.5), (0, 2), (0, 2.5), (0, 3)),
        *((0.5, 3.5), (1, 4)),
    ]


def test_what_is_left_over_at_the_end_is_a_window_if_it_is_no_click():
    assert seconds(GRID.spans(round(3.7 * SECOND)))[-2:] == [(0.5, 3.5), (0.7, 3.7)]
    assert seconds(GRID.spans(round(3.6 * SECOND)))[-2:] == [(0.5, 3.5), (0.6, 3.6)]
    assert seconds(GRID.spans(round(3.6 * SECOND) - 1))[-1] == (0.5, 3.5)
    assert seconds(GRID.spans(round(0.2 * SECOND))) == [(0, 0.2)]


def test_a_clip_of_one_pass_is_answered_as_a_whole():
    for n_samples in (SECOND, 3 * SECOND, 6 * SECOND):
        assert GRID.voters(n_samples) == (Span(0, n_samples),)


def test_of_a_longer_one_whole_windows_vote_and_the_last():
    n_samples = round(7.6 * SECOND)
    assert seconds(GRID.voters(n_samples)) == [(0, 3), (1, 4), (2, 5), (3, 6), (4, 7), (4.6, 7.6)]
    n_samples = round(7.55 * SECOND)  # the last window is a regular one here
    assert seconds(GRID.voters(n_samples))[-2:] == [(4, 7), (4.5, 7.5)]


@pytest.mark.parametrize("hop_s", [0.01, 0.3, 0.5, 0.8, 1.0, 2.5])
def test_the_hop_of_the_spec_is_halved_until_it_is_live(hop_s):
    grid = Grid.of(Spec(windows=Windows(hop_s=hop_s)))
    assert 0 < grid.hop <= 0.5 * SECOND
    assert grid.stride == pytest.approx(hop_s * SECOND, abs=8)
    assert grid.hop == grid.stride or 2 * grid.hop > 0.5 * SECOND - 8


grids = st.builds(
    lambda length, hop, clip: Grid.of(
        Spec(sr=1000, windows=Windows(length_s=length, hop_s=hop, clip_s=length + clip))
    ),
    st.floats(2, 5),
    st.floats(0.1, 2),
    st.floats(0, 4),
)


@given(grids, st.integers(100, 20_000))
def test_every_sample_but_a_click_at_the_end_is_in_a_window(grid, n_samples):
    spans = grid.spans(n_samples)
    assert all(0 <= span.start < span.end <= n_samples for span in spans)
    assert all(grid.shortest <= span.end - span.start <= grid.length for span in spans)
    assert list(spans) == sorted(set(spans), key=lambda span: span.end)
    assert spans[0].start == 0
    assert n_samples - spans[-1].end < grid.shortest
    assert all(after.start <= before.end for before, after in pairwise(spans))
    if n_samples > grid.clip:
        voting = grid.voters(n_samples)
        assert voting[0] == (0, grid.length)
        assert voting[-1] == spans[-1]
        assert all(span.end - span.start == grid.length for span in voting)
        assert set(voting) <= set(spans)


@given(grids, st.lists(st.integers(0, 4_000), max_size=30))
def test_a_reel_gives_the_windows_of_the_whole_however_it_comes(grid, sizes):
    whole = np.arange(sum(sizes), dtype=np.float32)
    reel, found, start = Reel(grid), [], 0
    for size in sizes:
        found += reel.push(whole[start : start + size])
        start += size
    assert reel.n_samples == whole.size
    last = grid.last(whole.size)
    if last:
        found.append((last, reel.cut(last)))
    assert [span for span, _ in found] == list(grid.spans(whole.size))
    for span, samples in found:
        np.testing.assert_array_equal(samples, whole[slice(*span)])
    if 0 < whole.size <= grid.clip:
        np.testing.assert_array_equal(reel.cut(Span(0, whole.size)), whole)


def test_a_reel_forgets():
    reel = Reel(GRID)
    for _ in range(100):
        list(reel.push(np.zeros(SECOND, np.float32)))
    assert sum(block.size for block in reel._blocks) <= GRID.length + SECOND
