"""Curves at knots taken from a cube, and the change relative to them."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.baselines.relative_change import apply_knots
from partita._solvers.baselines.time_grid import place

TIMES, KNOTS = np.arange(50.0), np.array([5.0, 20.0, 45.0])
BASELINE, CHANGE, RISE = 0, 1, 2


def applied(cube, curves, how, offset=0.0, first=0, last=50):
    at = place(TIMES, KNOTS)
    left = np.clip(np.floor(at).astype(int), 0, 1)
    result = np.full(cube.shape, -9.0)
    apply_knots(cube, curves, left, at - left, offset, how, first, last, result)
    return result


@pytest.fixture
def cube():
    return 100 + 20 * np.random.default_rng(0).standard_normal((2, 50, 3))


@pytest.fixture
def curves():
    return 80 + 10 * np.random.default_rng(1).random((3, 2, 3))


def test_the_curve_is_straight_between_knots_and_goes_on_beyond(cube, curves):
    found = applied(cube, curves, BASELINE)
    np.testing.assert_allclose(found[:, [5, 20, 45]], np.moveaxis(curves, 0, 1))
    inner = np.interp(TIMES[5:46], KNOTS, curves[:, 1, 2])
    np.testing.assert_allclose(found[1, 5:46, 2], inner)
    for end in (found[:, :21], found[:, 20:]):
        np.testing.assert_allclose(np.diff(end, 2, axis=1), 0, atol=1e-10)


@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_the_change_times_the_baseline_less_the_offset_is_the_difference(cube, curves, offset):
    base, change = applied(cube, curves, BASELINE), applied(cube, curves, CHANGE, offset)
    np.testing.assert_allclose(change * (base - offset) + base, cube)
    rise = applied(cube, curves, RISE, offset)
    np.testing.assert_array_equal(rise, np.maximum(change, 0))


def test_only_the_times_asked_for_are_written(cube, curves):
    found = applied(cube, curves, CHANGE, first=10, last=20)
    assert (found[:, :10] == -9).all()
    assert (found[:, 20:] == -9).all()
    np.testing.assert_array_equal(found[:, 10:20], applied(cube, curves, CHANGE)[:, 10:20])


def test_a_voxel_without_a_baseline_is_nan_and_alone_in_it(cube, curves):
    curves[:, 1, 1] = np.nan
    lost = np.isnan(applied(cube, curves, RISE))
    assert lost[1, :, 1].all()
    assert lost.sum() == 50
