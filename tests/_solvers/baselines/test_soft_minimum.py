"""The soft minimum: unbiased under noise, and the level under activity."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.baselines.soft_minimum import quiet_level, soft_minimum
from partita._solvers.baselines.time_grid import lay_grid

TIMES = np.arange(3000) / 10
GRID = lay_grid(TIMES, 30.0)


def fitted(traces, variance):
    """Return curves (n_knots, n_traces) of traces (n_times, n_traces)."""
    bins = np.add.reduceat(traces, GRID.bins[:-1]) / GRID.counts[:, None]
    variances = np.full(traces.shape[1], variance)
    return soft_minimum(bins, variances, float(np.median(GRID.counts)), GRID)


def test_the_level_under_gamma_activity_is_found():
    rng = np.random.default_rng(5)
    shape = (20_000, 40)
    r = 3 + rng.standard_normal(shape) + rng.gamma(0.4, 8.0, shape)
    r += 1.0 / (2 * 0.5)  # what noise of variance one takes from a soft minimum of width 0.5
    found = quiet_level(r, np.full(40, 0.5), np.ones(40), np.ones(20_000))
    assert found.mean() == pytest.approx(3, abs=0.15)


def test_without_transients_a_line_under_noise_is_the_line():
    rng = np.random.default_rng(0)
    line = 100 + 0.05 * TIMES
    found = fitted((line + rng.standard_normal((40, 3000))).T, 1.0).mean(axis=1)
    np.testing.assert_allclose(found, 100 + 0.05 * GRID.knots, atol=0.12)


def test_without_noise_the_baseline_under_transients_is_exact():
    transients = 50 * np.exp(-(TIMES % 10))
    np.testing.assert_allclose(fitted(80 + transients[:, None], 0.0), 80, atol=0.01)


def test_it_goes_with_the_unit_and_the_offset_of_a_trace():
    rng = np.random.default_rng(1)
    trace = 100 + rng.standard_normal((3000, 1)) + 20 * (rng.random((3000, 1)) < 0.1)
    once = fitted(trace, 1.0)
    np.testing.assert_allclose(fitted(1e3 * trace, 1e6), 1e3 * once, rtol=1e-9)
    np.testing.assert_allclose(fitted(trace - 40, 1.0), once - 40, rtol=1e-9)


def test_a_trace_of_zeros_has_a_baseline_of_zeros():
    np.testing.assert_array_equal(fitted(np.zeros((3000, 1)), 0.0), 0)


def test_a_quiet_level_without_activity_is_the_soft_minimum_itself():
    level = quiet_level(np.full((50, 1), 7.0), np.full(1, 0.5), np.zeros(1), np.ones(50))
    np.testing.assert_allclose(level, 7)
