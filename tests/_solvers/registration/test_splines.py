"""Spline coefficients and weights are those of the textbook, and of scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import interpolate, ndimage

from partita._solvers.registration import splines

SHAPES = [(12, 17), (5, 9, 14)]


def frames(shape: tuple[int, ...], dtype: str = "float64", n: int = 3) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.standard_normal((n, *shape)) + 10).astype(dtype)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-5), ("float64", 1e-12)])
def test_coefficients_are_those_of_the_recursive_filter(shape, dtype, tolerance):
    values = frames(shape, dtype)
    inner = (slice(None), *(slice(splines.PAD, -splines.PAD),) * len(shape))
    for found, frame in zip(splines.coefficients(values)[inner], values, strict=True):
        expected = ndimage.spline_filter(frame.astype(float), 3, mode="mirror")
        np.testing.assert_allclose(found, expected, atol=20 * tolerance)


def test_smoothed_coefficients_are_those_of_the_smoothed_frame():
    values = frames((40, 50))
    smooth = ndimage.gaussian_filter(values[0], 1.5, mode="mirror", truncate=8)
    expected = ndimage.spline_filter(smooth, 3, mode="mirror")
    found = splines.coefficients(values, smoothing=1.5)[0, 2:-2, 2:-2]
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_cubic_weights_are_the_b_spline_and_sum_to_one():
    spline = interpolate.BSpline.basis_element([-2, -1, 0, 1, 2])
    for t in (0.0, 0.3, 0.5, 0.99):
        weights = splines.cubic_weights(t)
        np.testing.assert_allclose(weights, spline([-1 - t, -t, 1 - t, 2 - t]), atol=1e-12)
        assert sum(weights) == pytest.approx(1)


@pytest.mark.parametrize("order", [0, 1, 3])
def test_weights_of_every_order_keep_a_constant(order):
    assert sum(splines.tap_weights(0.3, order)) == pytest.approx(1)


def test_what_lies_beyond_the_border_mirrors_without_repeating_it():
    padded = splines.pad(np.arange(5.0)[None, None].repeat(3, axis=1))
    np.testing.assert_array_equal(padded[0, 2], [2, 1, 0, 1, 2, 3, 4, 3, 2])
    folded = splines.fold(np.arange(-4, 9), 4)
    np.testing.assert_array_equal(folded, [2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2])
    assert splines.fold(np.array([7]), 1) == 0


def test_coefficients_beyond_the_border_are_those_they_mirror():
    found = splines.coefficients(frames((30, 41)))
    for step in (1, 2):
        np.testing.assert_allclose(found[:, 2 - step], found[:, 2 + step])
        np.testing.assert_allclose(found[..., -3 + step], found[..., -3 - step])


def test_other_frames_beside_one_change_nothing():
    values = frames((23, 37), "float32")
    np.testing.assert_array_equal(
        splines.coefficients(values)[1], splines.coefficients(values[1:2])[0]
    )


def test_a_sum_of_coefficients_under_weights_is_a_product_along_each_axis():
    rng = np.random.default_rng(0)
    plane, (v, w) = rng.random((7, 8)), rng.random((2, 4))
    found = splines.blend(plane, 2, 3, tuple(v), tuple(w))
    assert found == pytest.approx(np.einsum("jk,j,k", plane[2:6, 3:7], v, w))
