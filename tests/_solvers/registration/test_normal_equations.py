"""Sums of the normal equations: what is seen enters, what is not is taken out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from partita._solvers.registration.normal_equations import gather, see, to_voxels
from partita._solvers.registration.rotations import to_matrices
from partita._solvers.registration.splines import coefficients

SHAPES = [(24, 31), (9, 14, 17)]
NOTHING = np.zeros((0, 0), bool), np.zeros((0, 0, 0), bool)


def some_frame(shape):
    noise = np.random.default_rng(0).standard_normal(shape)
    return ndimage.gaussian_filter(noise, 1.0).astype(np.float32)


def some_motion(shape):
    d = len(shape)
    turn = to_matrices(np.deg2rad([3.0] if d == 2 else [3.0, -2.0, 1.0]))
    return turn, np.array([0.7, -1.3, 0.4][:d])


@pytest.mark.parametrize("shape", SHAPES)
def test_a_frame_is_seen_as_scipy_sees_it(shape):
    frame, (turn, shift) = some_frame(shape), some_motion(shape)
    spacing, margin = np.ones(len(shape)), np.zeros(len(shape))
    seen, missing = np.empty(shape, np.float32), NOTHING[len(shape) - 2]
    see(coefficients(frame[None])[0], missing, turn, shift, spacing, margin, seen)
    middle = (np.array(shape) - 1) / 2
    start = middle + shift - turn @ middle
    expected = ndimage.affine_transform(frame, turn, start, order=3, mode="mirror")
    inside = ndimage.affine_transform(np.ones(shape), turn, start, order=0, cval=0) == 1
    inside = ndimage.binary_erosion(inside)
    np.testing.assert_allclose(seen[inside], expected[inside], atol=1e-4)
    assert (seen == 0).any()


def test_motions_in_units_of_space_become_places_in_voxels():
    turn, shift, spacing = (
        to_matrices(np.array([0.3])),
        np.array([0.5, -2.0]),
        np.array([0.1, -0.4]),
    )
    linear, offset = np.empty((2, 2)), np.empty(2)
    to_voxels(turn, shift, spacing, (11, 21), linear, offset)
    middle = np.array([5.0, 10.0])
    for voxel in np.random.default_rng(0).uniform(0, 20, (5, 2)):
        place = turn @ (spacing * (voxel - middle)) + shift
        np.testing.assert_allclose(linear @ voxel + offset, place / spacing + middle)


@pytest.mark.parametrize("shape", SHAPES)
def test_sums_are_those_over_what_is_seen(shape):
    rng = np.random.default_rng(1)
    frame, (turn, shift) = some_frame(shape), some_motion(shape)
    d = len(shape)
    left, right = rng.standard_normal((2, 4, *shape)).astype(np.float32)
    left[1] = rng.random(shape) > 0.2
    missing = np.zeros(shape, bool)
    missing[tuple(slice(2, 6) for _ in shape)] = True
    linear, offset = np.empty((d, d)), np.empty(d)
    to_voxels(turn, shift, np.ones(d), shape, linear, offset)
    used = left[1] != 0
    full = np.einsum("ar,br->ab", left[:, used].astype(float), right[:, used].astype(float))
    matrix, products, warped = full.copy(), np.empty(4), np.empty(shape, np.float32)
    knots = coefficients(frame[None])[0]
    gather(knots, missing, linear, offset, np.ones(d), left, right, matrix, products, warped)
    seen = used & (warped != 0)
    assert 0.3 < seen.mean() < 0.8
    expected = np.einsum("ar,br->ab", left[:, seen].astype(float), right[:, seen].astype(float))
    np.testing.assert_allclose(matrix, expected, atol=1e-3)
    np.testing.assert_allclose(products, left[:, seen] @ warped[seen], atol=1e-3)
