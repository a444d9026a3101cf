"""The grid of bins, blocks and windows: it covers every sample once, and lines stay lines."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.baselines.time_grid import lay_grid, place, recentre, spans_of

TIMES = np.arange(3000) / 10


def test_bins_and_blocks_cover_every_sample_once():
    grid = lay_grid(TIMES, 30.0)
    assert grid.bins[0] == 0
    assert grid.bins[-1] == len(TIMES)
    assert grid.counts.sum() == len(TIMES)
    assert (grid.counts >= np.median(grid.counts) / 2).all()
    assert grid.blocks[-1] == len(grid.counts)
    assert np.all(np.diff(grid.blocks) > 0)
    np.testing.assert_allclose(np.diff(grid.knots)[:-1], 6, atol=0.7)


def test_windows_have_the_length_asked_for_on_irregular_times():
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.exponential(0.1, 5000))
    times[2500:] += 40.0
    spans = spans_of(lay_grid(times, 30.0))
    lengths = times[spans[:, 1] - 1] - times[spans[:, 0]]
    assert lengths.max() < 40
    inner = lengths[4:-4]
    assert np.median(inner) == pytest.approx(30, abs=1.5)


def test_a_place_between_knots_tells_how_far_it_is_to_the_next():
    np.testing.assert_allclose(
        place(np.array([-1.0, 0.0, 1.0, 3.0]), np.array([0.0, 2.0])), [-0.5, 0, 0.5, 1.5]
    )


def test_statistics_of_windows_are_taken_to_knots_along_straight_lines():
    spans = spans_of(lay_grid(TIMES, 30.0))
    knots = TIMES[[0, 700, -1]]
    means = np.array([(100 - 0.1 * TIMES[a:b]).mean() for a, b in spans])
    matrix = recentre(TIMES, spans, knots)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    np.testing.assert_allclose(matrix @ means, 100 - 0.1 * knots, rtol=1e-10)


def test_one_window_is_the_same_at_every_knot():
    matrix = recentre(TIMES, np.array([[0, 3000]]), TIMES[::1000])
    np.testing.assert_array_equal(matrix, 1)


@pytest.mark.parametrize("scale", [1e-3, 60.0])
def test_the_grid_does_not_depend_on_the_unit_of_time(scale):
    one, other = lay_grid(TIMES, 30.0), lay_grid(scale * TIMES, scale * 30.0)
    np.testing.assert_array_equal(one.bins, other.bins)
    np.testing.assert_array_equal(one.blocks, other.blocks)
    np.testing.assert_allclose(scale * one.knots, other.knots)
    np.testing.assert_allclose(one.lines.toarray(), other.lines.toarray(), atol=1e-9)


def test_lines_through_windows_keep_straight_lines_to_the_very_ends():
    grid = lay_grid(TIMES, 30.0)
    curve = 3 + 0.2 * grid.knots
    np.testing.assert_allclose(grid.lines @ curve, curve, rtol=1e-12)


def test_lines_through_windows_shrink_noise():
    grid = lay_grid(TIMES, 30.0)
    curves = np.random.default_rng(0).standard_normal((len(grid.knots), 4))
    assert (grid.lines @ curves).std() < 0.6 * curves.std()


def test_a_curve_at_the_knots_is_straight_between_them_and_goes_on_beyond():
    grid = lay_grid(TIMES, 30.0)
    centres = np.add.reduceat(TIMES, grid.bins[:-1]) / grid.counts
    np.testing.assert_allclose(grid.between @ (3 + 0.2 * grid.knots), 3 + 0.2 * centres)
    inside = (centres > grid.knots[0]) & (centres < grid.knots[-1])
    bent = np.random.default_rng(0).random(len(grid.knots))
    expected = np.interp(centres, grid.knots, bent)
    np.testing.assert_allclose((grid.between @ bent)[inside], expected[inside])
