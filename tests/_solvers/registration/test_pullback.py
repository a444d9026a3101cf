"""Kernels that pull a frame back agree with scipy, and with each other."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from partita._solvers.compute.scratch import Scratch
from partita._solvers.registration.pullback import HALF, pull_plane, pull_volume, slide_plane
from partita._solvers.registration.splines import coefficients, pad

FRAME = np.random.default_rng(0).standard_normal((14, 19))
NONE = np.zeros((0, 0), bool)


def padded_for(order, frame=FRAME):
    return (coefficients(frame[None]) if order == 3 else pad(frame[None], scratch=Scratch()))[0]


def pulled(kernel, linear, offset, order=3, nan_outside=False, gaps=NONE):
    out = np.empty(FRAME.shape)
    kernel(padded_for(order), linear, np.array(offset), order, nan_outside, gaps, out)
    return out


@pytest.mark.parametrize("order", [0, 1, 3])
def test_a_plane_is_what_scipy_sees_at_the_same_places(order):
    linear, offset = np.array([[1.02, -0.05], [0.04, 0.97]]), [0.31, -0.42]
    found = pulled(pull_plane, linear, offset, order)
    places = np.einsum("ij,jyx->iyx", linear, np.indices(FRAME.shape)) + np.reshape(
        offset, (2, 1, 1)
    )
    held = [np.clip(place, 0, n - 1) for place, n in zip(places, FRAME.shape, strict=True)]
    expected = ndimage.map_coordinates(FRAME, held, order=order, mode="mirror")
    np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize("order", [0, 1, 3])
@pytest.mark.parametrize("nan_outside", [False, True])
@pytest.mark.parametrize("offset", [(0.0, 0.0), (2.3, -4.7), (-0.4, 0.51), (30.0, 1.0)])
def test_a_plane_that_only_shifts_is_the_same_by_either_kernel(order, nan_outside, offset):
    gaps = np.random.default_rng(1).random(FRAME.shape) < 0.1
    settings = {"order": order, "nan_outside": nan_outside, "gaps": gaps}
    one, other = (
        pulled(kernel, np.eye(2), offset, **settings) for kernel in (slide_plane, pull_plane)
    )
    np.testing.assert_allclose(one, other, atol=1e-12)


def test_a_volume_whose_planes_are_alike_is_pulled_as_a_plane():
    linear, offset = np.array([[1.0, 0.03], [-0.02, 1.0]]), np.array([0.6, -0.8])
    volume = np.repeat(FRAME[None], 6, axis=0)
    whole, start = np.eye(3), np.array([0.25, *offset])
    whole[1:, 1:] = linear
    out, none = np.empty(volume.shape), np.zeros((0, 0, 0), bool)
    pull_volume(padded_for(3, volume), whole, start, 3, False, none, out)
    plane = pulled(pull_plane, linear, offset)
    np.testing.assert_allclose(out, np.broadcast_to(plane, out.shape), atol=1e-10)


def test_a_voxel_ends_half_a_voxel_from_its_centre():
    inside = pulled(pull_plane, np.eye(2), (0.0, HALF - 1e-5), nan_outside=True)
    beyond = pulled(pull_plane, np.eye(2), (0.0, HALF + 1e-5), nan_outside=True)
    assert np.isfinite(inside).all()
    assert np.isnan(beyond[:, -1]).all()
    assert np.isfinite(beyond[:, :-1]).all()
