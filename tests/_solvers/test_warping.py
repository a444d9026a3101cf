"""Resampling: what scipy's splines give, faster; holes and edges where they were."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from partita._solvers.threads import Crew
from partita._solvers.warping import field_basis, shift_frames, warp

SHIFTS = np.array([[0.0, 0.0], [3.0, -2.0], [0.37, -1.62], [-4.5, 0.01], [7.3, 11.9]])


@pytest.fixture(scope="module")
def crew():
    with Crew(2) as threads:
        yield threads


@pytest.fixture
def frames():
    noise = np.random.default_rng(0).standard_normal((len(SHIFTS), 48, 61))
    return ndimage.gaussian_filter(noise, (0, 1, 1)) + 2


def test_a_cubic_shift_is_the_spline_of_scipy(frames, crew):
    expected = [
        ndimage.shift(frame, -shift, order=3, mode="nearest")
        for frame, shift in zip(frames, SHIFTS, strict=True)
    ]
    np.testing.assert_allclose(shift_frames(frames, SHIFTS, crew=crew), expected, atol=5e-6)


def test_a_linear_shift_is_that_of_scipy(frames, crew):
    expected = [
        ndimage.shift(frame, -shift, order=1, mode="nearest")
        for frame, shift in zip(frames, SHIFTS, strict=True)
    ]
    answer = shift_frames(frames, SHIFTS, interpolation="linear", crew=crew)
    np.testing.assert_allclose(answer, expected, atol=1e-6)


def test_a_warp_is_the_spline_of_scipy_at_displaced_places(frames, crew):
    rng = np.random.default_rng(1)
    displacement = rng.uniform(-2, 2, (len(frames), 2, 3, 4))
    centres_y, centres_x = np.linspace(8, 40, 3), np.linspace(7, 53, 4)
    answer = warp(frames, displacement, centres_y, centres_x, crew=crew)
    rows, columns = field_basis(centres_y, 48), field_basis(centres_x, 61)
    inside = (slice(10, -10), slice(10, -10))
    for one, frame, field in zip(answer, frames, displacement, strict=True):
        places = np.indices(frame.shape) + rows @ field @ columns.T
        expected = ndimage.map_coordinates(frame, places, order=3, mode="nearest")
        np.testing.assert_allclose(one[inside], expected[inside], atol=1e-5)


@pytest.mark.parametrize("interpolation", ["cubic", "linear"])
@pytest.mark.parametrize("fill", ["nearest", "nan"])
def test_a_field_that_is_everywhere_the_same_shifts(frames, crew, interpolation, fill):
    field = np.broadcast_to(SHIFTS[:4, :, None, None], (4, 2, 3, 2))
    options = {"interpolation": interpolation, "fill": fill, "crew": crew}
    warped = warp(frames[:4], field, np.array([5.0, 20, 40]), np.array([9.0, 50]), **options)
    np.testing.assert_allclose(warped, shift_frames(frames[:4], SHIFTS[:4], **options), atol=1e-5)


def test_the_field_goes_through_its_centres_and_on_straight(crew):
    centres = np.array([10.0, 20.0, 35.0, 50.0])
    values = np.array([1.0, -2.0, 0.5, 3.0])
    line = field_basis(centres, 64) @ values
    np.testing.assert_allclose(line[[10, 20, 35, 50]], values, atol=1e-12)
    for end in (line[:11], line[50:]):
        np.testing.assert_allclose(np.diff(end, 2), 0, atol=1e-12)
    straight = field_basis(centres, 64) @ (3 - 0.2 * centres)
    np.testing.assert_allclose(straight, 3 - 0.2 * np.arange(64), atol=1e-12)
    np.testing.assert_array_equal(field_basis(np.array([7.0]), 5), 1)


def test_there_and_back_is_where_it_began(crew):
    smooth = ndimage.gaussian_filter(np.random.default_rng(2).standard_normal((1, 64, 64)), 2)
    there = shift_frames(smooth, np.array([[0.4, -0.3]]), out_dtype=np.float64, crew=crew)
    back = shift_frames(there, np.array([[-0.4, 0.3]]), out_dtype=np.float64, crew=crew)
    inside = (0, slice(8, -8), slice(8, -8))
    assert np.abs(back - smooth)[inside].max() < 5e-3 * np.abs(smooth).max()


def test_what_no_frame_shows_is_nan_where_asked_and_only_there(frames, crew):
    answer = shift_frames(frames, SHIFTS, fill="nan", crew=crew)
    assert np.isfinite(answer[0]).all()
    assert np.isnan(answer[1, -3:]).all()
    assert np.isnan(answer[1, :, :2]).all()
    assert np.isfinite(answer[1, :-3, 2:]).all()


def test_holes_move_with_the_tissue_and_do_not_spread(frames, crew):
    frames[1, 20:23, 30:34] = np.nan
    frames[2, 20, 30] = np.inf
    frames[3] = np.nan
    shifted = shift_frames(frames, SHIFTS, crew=crew)
    hole = np.zeros((48, 61), bool)
    hole[17:20, 32:36] = True
    np.testing.assert_array_equal(np.isnan(shifted[1]), hole)
    assert np.isnan(shifted[2]).sum() == 4
    assert np.isnan(shifted[3]).all()
    field = np.broadcast_to(SHIFTS[:, :, None, None], (5, 2, 1, 1))
    warped = warp(frames, field, np.array([20.0]), np.array([20.0]), crew=crew)
    np.testing.assert_array_equal(np.isnan(warped), np.isnan(shifted))


def test_ringing_below_zero_is_clipped_on_request(crew):
    step = np.zeros((1, 32, 32))
    step[:, :, 16:] = 1
    shift, field = np.array([[0.0, 0.5]]), np.full((1, 2, 1, 1), 0.5)
    assert shift_frames(step, shift, crew=crew).min() < -0.01
    assert shift_frames(step, shift, non_negative=True, crew=crew).min() == 0
    middle = np.array([16.0])
    assert warp(step, field, middle, middle, non_negative=True, crew=crew).min() == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arithmetic_is_in_the_dtype_asked_for(frames, crew, dtype):
    counts = np.round(1000 * frames).astype(np.uint16)
    answer = shift_frames(counts, SHIFTS, out_dtype=dtype, crew=crew)
    assert answer.dtype == dtype
    np.testing.assert_array_equal(answer[0], counts[0])


def test_threads_change_nothing(frames, crew):
    field = np.random.default_rng(3).uniform(-2, 2, (5, 2, 3, 3))
    centres = np.array([5.0, 20, 40])
    with Crew(1) as alone:
        one = (
            shift_frames(frames, SHIFTS, crew=alone),
            warp(frames, field, centres, centres, crew=alone),
        )
    np.testing.assert_array_equal(shift_frames(frames, SHIFTS, crew=crew), one[0])
    np.testing.assert_array_equal(warp(frames, field, centres, centres, crew=crew), one[1])
