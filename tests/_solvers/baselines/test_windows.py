"""What windows hold, and the running minima and maxima of it."""

from __future__ import annotations

import numpy as np

from partita._solvers.baselines.time_grid import lay_grid
from partita._solvers.baselines.windows import held_in, maximin, running_minimum

GRID = lay_grid(np.arange(3000) / 10, 30.0)
BINS = np.random.default_rng(2).random((len(GRID.counts), 3))


def test_narrow_windows_are_filled_up_with_what_is_missing():
    held = held_in(np.arange(4.0)[:, None], np.array([0, 3]), np.array([3, 4]), missing=-1.0)
    np.testing.assert_array_equal(held[..., 0], [[0, 1, 2], [3, -1, -1]])


def test_a_running_minimum_is_that_of_the_bins_in_each_window():
    expected = [BINS[a:b].min(axis=0) for a, b in GRID.blocks[GRID.windows]]
    np.testing.assert_array_equal(running_minimum(BINS, GRID.blocks, GRID.windows), expected)


def test_its_running_maximum_never_lies_below_it():
    low = running_minimum(BINS, GRID.blocks, GRID.windows)
    high = maximin(BINS, GRID.blocks, GRID.windows)
    np.testing.assert_array_equal(high, [low[a:b].max(axis=0) for a, b in GRID.windows])
