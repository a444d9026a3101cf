"""Frames pulled back through a field: scipy's splines, borders, holes and signs as they were."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from partita._solvers.compute.threads import Crew
from partita._solvers.registration.displacement_field import field_basis
from partita._solvers.registration.frame_resampling import ORDERS, resample
from partita._solvers.registration.warping import leaves_by_bending, unbend

SHIFTS = np.array([[0.0, 0.0], [3.0, -2.0], [0.37, -1.62], [-4.6, 0.01], [7.3, 11.9]])
CENTRES = np.array([5.0, 20, 40]), np.array([9.0, 50])


@pytest.fixture(scope="module")
def crew():
    with Crew(2) as threads:
        yield threads


@pytest.fixture
def frames():
    noise = np.random.default_rng(0).standard_normal((len(SHIFTS), 48, 61))
    return ndimage.gaussian_filter(noise, (0, 1, 1)) + 2


def shift(frames, crew, **options):
    return resample(frames, np.tile(np.eye(2), (len(frames), 1, 1)), SHIFTS, crew=crew, **options)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_a_bent_frame_is_the_spline_of_scipy_at_displaced_places(frames, crew, dtype, tolerance):
    rng = np.random.default_rng(1)
    displacement = rng.uniform(-2, 2, (len(frames), 2, 3, 4))
    centres_y, centres_x = np.linspace(8, 40, 3), np.linspace(7, 53, 4)
    centres = centres_y, centres_x
    options = {"order": 3, "nan_outside": False, "crew": crew}
    answer = unbend(frames.astype(dtype), displacement, *centres, **options)
    assert answer.dtype == dtype
    rows, columns = field_basis(centres_y, 48), field_basis(centres_x, 61)
    for one, frame, field in zip(answer, frames, displacement, strict=True):
        places = np.indices(frame.shape) + rows @ field @ columns.T
        held = [np.clip(place, 0, n - 1) for place, n in zip(places, frame.shape, strict=True)]
        expected = ndimage.map_coordinates(frame.astype(dtype), held, order=3, mode="mirror")
        np.testing.assert_allclose(one, expected, atol=tolerance)


@pytest.mark.parametrize("order", ORDERS.values())
@pytest.mark.parametrize("nan_outside", [False, True])
def test_a_field_that_is_everywhere_the_same_shifts(frames, crew, order, nan_outside):
    frames[2, 20:23, 30:34] = np.nan
    field = np.broadcast_to(SHIFTS[:, :, None, None], (5, 2, 3, 2))
    options = {"order": order, "nan_outside": nan_outside, "crew": crew}
    bent = unbend(frames, field, *CENTRES, **options)
    np.testing.assert_allclose(bent, shift(frames, **options), atol=1e-12)


def test_what_leaves_the_field_is_what_becomes_nan(frames, crew):
    field = np.random.default_rng(3).uniform(-6, 6, (5, 2, 3, 2))
    bent = unbend(frames, field, *CENTRES, order=3, nan_outside=True, crew=crew)
    left = leaves_by_bending((48, 61), field, *CENTRES)
    assert 0 < left.mean() < 0.5
    np.testing.assert_array_equal(np.isnan(bent).any(axis=0), left)


def test_holes_move_with_the_tissue_and_do_not_spread(frames, crew):
    frames[1, 20:23, 30:34] = np.nan
    frames[3] = np.nan
    field = np.broadcast_to(SHIFTS[:, :, None, None], (5, 2, 1, 1))
    middle = np.array([20.0])
    bent = unbend(frames, field, middle, middle, order=3, nan_outside=False, crew=crew)
    hole = np.zeros((48, 61), bool)
    hole[17:20, 32:36] = True
    np.testing.assert_array_equal(np.isnan(bent[1]), hole)
    assert np.isnan(bent[3]).all()
    assert np.isfinite(bent[[0, 2, 4]]).all()


def test_ringing_below_zero_is_clipped_where_nothing_was_negative(crew):
    step = np.zeros((2, 32, 32))
    step[:, :, 16:] = 1
    step[1] -= 0.001
    middle, field = np.array([16.0]), np.full((2, 2, 1, 1), 0.5)
    bent = unbend(step, field, middle, middle, order=3, nan_outside=False, crew=crew)
    assert bent[0].min() == 0
    assert bent[1].min() < -0.01


def test_threads_change_nothing(frames, crew):
    field = np.random.default_rng(3).uniform(-2, 2, (5, 2, 3, 2))
    options = {"order": 3, "nan_outside": False}
    with Crew(1) as alone:
        one = unbend(frames, field, *CENTRES, crew=alone, **options)
    np.testing.assert_array_equal(unbend(frames, field, *CENTRES, crew=crew, **options), one)
