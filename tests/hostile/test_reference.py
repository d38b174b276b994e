"""Valid WAV files, changed at random, read by us and by libsndfile; `make soak` reads more of them."""

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings

from tests.support.reference import Reference, files
from undertone import audio
from undertone.errors import AudioError


@pytest.fixture(scope="module")
def reference() -> Iterator[Reference]:
    with Reference() as reference:
        yield reference


@settings(max_examples=300)
@given(files())
def test_what_both_take_sounds_the_same(reference, data):
    reference.compare(data)


@settings(max_examples=300)
@given(files())
def test_decoding_takes_no_more_memory_than_the_file_justifies(data):
    tracemalloc.start()
    try:
        sound = audio.decode(data, 16_000)
    except AudioError:
        pass
    else:
        assert np.isfinite(sound.samples).all()
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 64 * len(data) + 1_000_000
