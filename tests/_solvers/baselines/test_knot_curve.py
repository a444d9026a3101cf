"""Curves at knots: straight lines between them, and through their smoothing."""

from __future__ import annotations

import numpy as np

from partita._solvers.baselines.knot_curve import add_curve, smooth
from partita._solvers.baselines.time_grid import lay_grid, place

TIMES = np.arange(3000) / 10


def test_lines_through_windows_keep_straight_lines_to_the_very_ends():
    grid = lay_grid(TIMES, 30.0)
    curve = 3 + 0.2 * grid.knots
    found = curve.copy()
    smooth(found, np.empty_like(curve), grid.lines, grid.weights)
    np.testing.assert_allclose(found, curve, rtol=1e-12)


def test_smoothing_shrinks_noise_and_is_linear():
    grid, rng = lay_grid(TIMES, 30.0), np.random.default_rng(0)
    curves = rng.standard_normal((2, len(grid.knots)))
    found = np.array([*curves, curves[0] - 2 * curves[1]])
    for curve in found:
        smooth(curve, np.empty_like(curve), grid.lines, grid.weights)
    assert found[:2].std() < 0.6 * curves.std()
    np.testing.assert_allclose(found[2], found[0] - 2 * found[1], atol=1e-12)


def test_an_added_curve_is_interpolated_and_goes_on_straight():
    knots, curve = np.array([1.0, 3.0, 4.0]), np.array([2.0, -2.0, 5.0])
    times = np.array([0.0, 1.0, 2.5, 3.0, 3.25, 5.0])
    y = np.full(6, 10.0)
    add_curve(y, curve, place(times, knots), -1.0)
    np.testing.assert_allclose(10 - y, [4, 2, -1, -2, -0.25, 12])
    add_curve(y, curve, place(times, knots), 1.0)
    np.testing.assert_allclose(y, 10)


def test_one_knot_is_a_constant():
    y = np.zeros(4)
    add_curve(y, np.array([3.0]), np.zeros(4), 1.0)
    np.testing.assert_array_equal(y, 3)
