"""A quantile that follows the quiet fraction finds the baseline of sparse activity."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.baselines.quiet_quantile import quiet_quantile
from partita._solvers.baselines.time_grid import lay_grid

GRID = lay_grid(np.arange(3000) / 10, 30.0)


def fitted(bins, variance):
    """Return curves (n_traces, n_knots) of bins (n_traces, n_bins)."""
    return quiet_quantile(bins.T.copy(), np.full(len(bins), variance), GRID).T


@pytest.mark.parametrize("active", [0.0, 0.2, 0.4])
def test_the_level_is_found_however_much_is_quiet(active):
    rng = np.random.default_rng(0)
    bins = 100 + rng.standard_normal((60, len(GRID.counts)))
    bins += 40 * (rng.random(bins.shape) < active)
    assert fitted(bins, 1.0).mean() == pytest.approx(100, abs=0.25)


def test_it_goes_with_the_unit_and_the_offset_of_a_trace():
    bins = np.random.default_rng(1).random((1, len(GRID.counts)))
    once = fitted(bins, 0.01)
    np.testing.assert_allclose(fitted(50 * bins - 7, 25.0), 50 * once - 7, rtol=1e-9)


def test_a_straight_line_is_its_own_baseline():
    knots = np.arange(len(GRID.knots))
    bins = 3 + 0.2 * (GRID.between @ knots)
    np.testing.assert_allclose(fitted(bins[None], 0.0)[0], 3 + 0.2 * knots, atol=0.15)
