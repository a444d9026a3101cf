"""The soft minimum: unbiased under noise, and the level under activity."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.baselines.soft_minimum import quiet_level, running_minimum, soft_minimum
from partita._solvers.baselines.time_grid import lay_grid

TIMES = np.arange(3000) / 10
GRID = lay_grid(TIMES, 30.0)
OF_GRID = (GRID.counts, GRID.blocks, GRID.windows, GRID.lines, GRID.weights, GRID.places)


def fitted(trace, variance):
    bins = np.add.reduceat(trace, GRID.bins[:-1]) / GRID.counts
    curve = np.empty(len(GRID.knots))
    soft_minimum(bins, variance, float(np.median(GRID.counts)), *OF_GRID, curve)
    return curve


def test_the_level_under_gamma_activity_is_found():
    rng = np.random.default_rng(5)
    found = []
    for _ in range(40):
        r = 3 + rng.standard_normal(20_000) + rng.gamma(0.4, 8.0, 20_000)
        counts = np.ones(20_000)
        r += 1.0 / (2 * 0.5)  # what noise of variance one takes from a soft minimum of width 0.5
        found.append(quiet_level(r, 0.5, 1.0, counts))
    assert np.mean(found) == pytest.approx(3, abs=0.15)


def test_without_transients_a_line_under_noise_is_the_line():
    rng = np.random.default_rng(0)
    line = 100 + 0.05 * TIMES
    found = np.mean([fitted(line + rng.standard_normal(3000), 1.0) for _ in range(40)], axis=0)
    np.testing.assert_allclose(found, 100 + 0.05 * GRID.knots, atol=0.12)


def test_without_noise_the_baseline_under_transients_is_exact():
    transients = 50 * np.exp(-(TIMES % 10))
    np.testing.assert_allclose(fitted(80 + transients, 0.0), 80, atol=0.01)


def test_it_goes_with_the_unit_and_the_offset_of_a_trace():
    rng = np.random.default_rng(1)
    trace = 100 + rng.standard_normal(3000) + 20 * (rng.random(3000) < 0.1)
    once = fitted(trace, 1.0)
    np.testing.assert_allclose(fitted(1e3 * trace, 1e6), 1e3 * once, rtol=1e-9)
    np.testing.assert_allclose(fitted(trace - 40, 1.0), once - 40, rtol=1e-9)


def test_a_trace_of_zeros_has_a_baseline_of_zeros():
    np.testing.assert_array_equal(fitted(np.zeros(3000), 0.0), 0)


def test_a_quiet_level_without_activity_is_the_soft_minimum_itself():
    assert quiet_level(np.full(50, 7.0), 0.5, 0.0, np.ones(50)) == pytest.approx(7)


def test_a_running_minimum_is_that_of_the_bins_in_each_window():
    bins = np.random.default_rng(2).random(len(GRID.counts))
    found, work = np.empty((2, len(GRID.knots)))
    running_minimum(bins, GRID.blocks, GRID.windows, work, found)
    expected = [bins[a:b].min() for a, b in GRID.blocks[GRID.windows]]
    np.testing.assert_array_equal(found, expected)
