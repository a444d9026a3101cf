"""Numbers are Python's and numpy's; truth values and texts are none."""

from __future__ import annotations

import numpy as np
import pytest

from partita._labels.numbers import (
    is_finite,
    is_number,
    is_positive,
    is_whole,
    require_amounts,
    require_counts,
    require_floating,
    require_positive,
    require_shape,
)


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


@pytest.mark.parametrize(
    ("value", "finite", "positive"),
    [(3, True, True), (np.float32(0.5), True, True), (0, True, False), (-1.0, True, False),
     (np.inf, False, False), (np.nan, False, False), (True, False, False), ("3", False, False)],
)  # fmt: skip
def test_finite_and_positive_are_numbers_first(value, finite, positive):
    assert is_finite(value) is finite
    assert is_positive(value) is positive


@pytest.mark.parametrize("value", [0, 2.0, True, "3", None])
def test_what_is_no_count_is_refused(value):
    require_counts("f", n=np.int64(1))
    with pytest.raises(ValueError, match="f needs n to be a whole number of at least 1; got"):
        require_counts("f", n=value)


@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf, True, "3", None])
def test_what_is_no_amount_is_refused(value):
    require_amounts("f", noise=0)
    with pytest.raises(ValueError, match="f needs noise to be finite and not negative; got"):
        require_amounts("f", noise=value)


@pytest.mark.parametrize("value", [0, -1.0, np.nan, True, "3"])
def test_what_is_not_above_zero_is_refused(value):
    require_positive("f", step=np.float32(0.5))
    with pytest.raises(ValueError, match="f needs step to be finite and above 0; got"):
        require_positive("f", step=value)


@pytest.mark.parametrize("shape", [(4,), (4, 0), (4, 5.0), (4, True), 4, "ab"])
def test_what_is_no_shape_is_refused(shape):
    assert require_shape("f", np.array([4, 5]), n_axes=[2], axes="y and x") == (4, 5)
    with pytest.raises(ValueError, match="f needs shape to be whole numbers above 0 along y and x"):
        require_shape("f", shape, n_axes=[2], axes="y and x")


def test_only_the_two_floating_types_are_made():
    assert require_floating("f", "f4") == np.float32
    with pytest.raises(ValueError, match="f makes float32 or float64; got dtype=int64"):
        require_floating("f", "int64")
