"""Maps held by their boxes: there and back is the identity, and little is held."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partita._labels.boxes import Boxes


@st.composite
def rows(draw: st.DrawFn) -> np.ndarray:
    """Draw maps over one to three dimensions, mostly zero, in any of the types maps have."""
    shape = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    n_rows = draw(st.integers(0, 4))
    values = st.sampled_from([0.0, 0.0, 0.0, 1.5, -2.0, np.nan, np.inf])
    size = n_rows * int(np.prod(shape))
    flat = draw(st.lists(values, min_size=size, max_size=size))
    dtype = draw(st.sampled_from(["float32", "float64"]))
    return np.array(flat, dtype).reshape(n_rows, *shape)


@settings(deadline=None, max_examples=150)
@given(rows())
def test_there_and_back_is_the_identity(maps: np.ndarray) -> None:
    boxes = Boxes.of(maps)
    assert boxes.values.dtype == maps.dtype
    np.testing.assert_array_equal(boxes.dense(), maps)


@settings(deadline=None, max_examples=100)
@given(rows())
def test_no_smaller_box_would_do(maps: np.ndarray) -> None:
    boxes = Boxes.of(maps)
    for row, first, sizes in zip(maps, boxes.first, boxes.sizes, strict=True):
        places = np.argwhere(row != 0)
        if not len(places):
            assert (sizes == 0).all()
            continue
        np.testing.assert_array_equal(first, places.min(axis=0))
        np.testing.assert_array_equal(first + sizes - 1, places.max(axis=0))


@given(rows(), st.randoms(use_true_random=False))
def test_what_is_outside_is_left_out(maps: np.ndarray, random) -> None:
    outside = np.array([random.random() < 0.3 for _ in range(maps[0].size if len(maps) else 1)])
    outside = outside.reshape(maps.shape[1:]) if len(maps) else np.zeros(maps.shape[1:], bool)
    back = Boxes.of(maps, outside=outside).dense()
    np.testing.assert_array_equal(back, np.where(outside, 0, maps))


@pytest.mark.parametrize("n_cells", [50])
def test_cells_take_little_beside_their_dense_maps(n_cells: int) -> None:
    rng = np.random.default_rng(0)
    maps = np.zeros((n_cells, 200, 200), np.float32)
    for cell, (y, x) in zip(maps, rng.integers(0, 180, (n_cells, 2)), strict=True):
        cell[y : y + 20, x : x + 20] = rng.random((20, 20)) + 0.1
    boxes = Boxes.of(maps)
    assert sum(part.nbytes for part in boxes) < 0.02 * maps.nbytes
    np.testing.assert_array_equal(boxes.dense(), maps)
