"""Numbers are Python's and numpy's; truth values and texts are none."""

from __future__ import annotations

import numpy as np
import pytest

from partita._labels.numbers import is_number, is_whole


@pytest.mark.parametrize("value", [3, np.int16(3), np.uint8(3)])
def test_integers_are_whole_and_numbers(value):
    assert is_whole(value)
    assert is_number(value)


@pytest.mark.parametrize("value", [3.0, np.float32(3), np.nan, np.inf])
def test_what_has_a_point_is_a_number_and_not_whole(value):
    assert is_number(value)
    assert not is_whole(value)


@pytest.mark.parametrize("value", [True, np.True_, "3", None, [3], 3j, np.arange(3)])
def test_everything_else_is_neither(value):
    assert not is_number(value)
    assert not is_whole(value)
