"""Splines and resampling agree with scipy's, and keep what must be kept."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from partita._solvers.compute.threads import Crew
from partita._solvers.registration.frame_resampling import ORDERS, leaves_field, resample

SHAPES = [(12, 17), (5, 9, 14)]


def frames(shape: tuple[int, ...], dtype: str = "float64", n: int = 3) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.standard_normal((n, *shape)) + 10).astype(dtype)


def some_motion(shape: tuple[int, ...], n: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return linear maps and offsets that stay near the identity."""
    rng = np.random.default_rng(1)
    d = len(shape)
    linear = np.eye(d) + 0.03 * rng.standard_normal((n, d, d))
    return linear, 0.6 * rng.standard_normal((n, d))


def pull(values, linear, offset, *, order=3, nan_outside=False, threads=1):
    with Crew(threads) as crew:
        return resample(values, linear, offset, order=order, nan_outside=nan_outside, crew=crew)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("name", "order"), ORDERS.items())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_interpolation_is_scipys_inside_the_field(shape, name, order, dtype):
    values = frames(shape, dtype)
    linear, offset = some_motion(shape)
    found = pull(values, linear, offset, order=order, nan_outside=True)
    assert found.dtype == values.dtype
    for result, frame, matrix, start in zip(found, values, linear, offset, strict=True):
        inside = ndimage.affine_transform(np.ones(shape), matrix, start, order=0, cval=0) == 1
        expected = ndimage.affine_transform(
            frame.astype(float), matrix, start, order=order, mode="mirror" if order else "nearest"
        )
        sure = ndimage.binary_erosion(inside & np.isfinite(result), border_value=1)
        assert sure.mean() > 0.2
        np.testing.assert_allclose(result[sure], expected[sure], rtol=1e-4 if order else 0)


def test_no_motion_gives_the_frames_back():
    values = frames((12, 17))
    linear, offset = np.tile(np.eye(2), (3, 1, 1)), np.zeros((3, 2))
    np.testing.assert_allclose(pull(values, linear, offset, nan_outside=True), values, rtol=1e-12)


def test_what_lies_beyond_the_field_takes_the_border_or_nan():
    values = frames((12, 17))
    linear, offset = np.tile(np.eye(2), (3, 1, 1)), np.tile([2.0, 0.0], (3, 1))
    held = pull(values, linear, offset)
    np.testing.assert_allclose(held[:, -2:], np.repeat(values[:, -1:], 2, axis=1), rtol=1e-12)
    open_ended = pull(values, linear, offset, nan_outside=True)
    assert np.isnan(open_ended[:, -2:]).all()
    np.testing.assert_array_equal(open_ended[:, :-2], held[:, :-2])
    outside = leaves_field((12, 17), linear, offset)
    np.testing.assert_array_equal(outside, np.isnan(open_ended).any(axis=0))


def test_half_a_voxel_beyond_the_last_centre_is_still_the_field():
    values = frames((12, 17))
    for move, lost in ((0.49, 0), (0.51, 17)):
        linear, offset = np.tile(np.eye(2), (3, 1, 1)), np.tile([move, 0.0], (3, 1))
        assert np.isnan(pull(values, linear, offset, nan_outside=True)[0]).sum() == lost
        assert leaves_field((12, 17), linear, offset).sum() == lost


def test_a_frame_nowhere_negative_stays_so_and_a_signed_one_is_not_clipped():
    step = np.zeros((1, 12, 17))
    step[:, 6:] = 1
    linear, offset = np.eye(2)[None], np.array([[0.3, 0.0]])
    assert pull(step, linear, offset).min() == 0
    assert pull(step - 1e-9, linear, offset).min() < -0.05


@pytest.mark.parametrize("order", ORDERS.values())
@pytest.mark.parametrize("nan_outside", [False, True])
def test_frames_that_only_shift_are_the_limit_of_frames_that_hardly_turn(order, nan_outside):
    values = frames((24, 31), n=4)
    values[2, 10:12, 5:9] = np.nan
    offset = np.array([[0.3, -1.7], [-4.2, 9.9], [2.0, 0.6], [30.0, 3.0]])
    still = np.tile(np.eye(2), (4, 1, 1))
    options = {"order": order, "nan_outside": nan_outside}
    turned = still + 1e-13 * np.array([[0, 1], [-1, 0]])
    np.testing.assert_allclose(
        pull(values, still, offset, **options), pull(values, turned, offset, **options), rtol=1e-10
    )


def test_missing_values_move_with_the_tissue_and_spread_no_further():
    values = frames((12, 17))
    whole = values.copy()
    values[1, 4:6, 7] = np.nan
    values[2] = np.nan
    linear, offset = np.tile(np.eye(2), (3, 1, 1)), np.tile([1.0, 2.0], (3, 1))
    moved = pull(values, linear, offset)
    np.testing.assert_array_equal(np.argwhere(np.isnan(moved[1])), [[3, 5], [4, 5]])
    assert np.isnan(moved[2]).all()
    np.testing.assert_allclose(moved[0], pull(whole, linear, offset)[0])


def test_threads_change_nothing():
    rng = np.random.default_rng(3)
    values = rng.random((64, 128, 160), dtype=np.float32)
    linear, offset = some_motion((128, 160), 64)
    alone, together = (pull(values, linear, offset, threads=threads) for threads in (1, 2))
    np.testing.assert_array_equal(alone, together)
