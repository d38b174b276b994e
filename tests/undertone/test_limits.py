"""What a refusal says of a value that is nearly allowed."""

import pytest

from undertone.errors import AudioTooLong
from undertone.limits import Limits, check_duration, told


@pytest.mark.parametrize(
    ("value", "limit", "digits", "text"),
    [
        (700.0, 600.0, 1, "700.0"),
        (600.04, 600.0, 1, "600.04"),
        (600 + 1 / 48_000, 600.0, 1, "600.00002"),
        (99.9, 100.0, 0, "99.9"),
        (20.0, 100.0, 0, "20"),
        (600.0, 600.0, 1, "600.0"),
        (600.05, 600.04, 1, "600.05"),
        (0.1335, 0.123456789, 1, "0.13"),
    ],
)
def test_a_value_is_told_from_the_limit_that_it_breaks(value, limit, digits, text):
    assert told(value, limit, digits) == text


def test_a_sample_too_much_is_seen_to_be_too_much():
    with pytest.raises(AudioTooLong, match=r"lasts 600\.00002 s; at most 600 s") as caught:
        check_duration(600 + 1 / 48_000, Limits())
    assert caught.value.received["duration_s"] > 600
