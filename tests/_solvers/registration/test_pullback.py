"""Frames are pulled back as scipy pulls them, planes as volumes, shifts as linear maps."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from partita._solvers.registration.pullback import pull, slide
from partita._solvers.registration.splines import coefficients, pad

FRAME = np.random.default_rng(0).standard_normal((14, 19))
ANYWHERE = np.full(2, -np.inf), np.full(2, np.inf)


def padded_for(order, frame=FRAME):
    return coefficients(frame[None]) if order == 3 else pad(frame[None])


def pulled(linear, offset, order=3, frame=FRAME, **options):
    out = np.empty((1, *frame.shape))
    settings = {"bounds": ANYWHERE, "gaps": np.empty(0, bool), "fill": np.nan, **options}
    places = linear[None], np.array(offset)[None]
    pull(padded_for(order, frame), *places, order=order, out=out, **settings)
    return out[0]


@pytest.mark.parametrize("order", [0, 1, 3])
def test_a_plane_is_what_scipy_sees_at_the_same_places(order):
    linear, offset = np.array([[1.02, -0.05], [0.04, 0.97]]), [0.31, -0.42]
    found = pulled(linear, offset, order)
    places = np.einsum("ij,jyx->iyx", linear, np.indices(FRAME.shape)) + np.reshape(
        offset, (2, 1, 1)
    )
    held = [np.clip(place, 0, n - 1) for place, n in zip(places, FRAME.shape, strict=True)]
    expected = ndimage.map_coordinates(FRAME, held, order=order, mode="mirror")
    np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize("order", [0, 1, 3])
@pytest.mark.parametrize("offset", [(0.0, 0.0), (2.3, -4.7), (-0.4, 0.51), (30.0, 1.0), (1, -40)])
def test_a_plane_that_only_shifts_is_slid_to_where_it_is_pulled(order, offset):
    out = np.empty(FRAME.shape)
    slide(padded_for(order)[0], float(offset[0]), float(offset[1]), order, out)
    np.testing.assert_allclose(out, pulled(np.eye(2), np.array(offset, float), order), atol=1e-12)


def test_a_volume_whose_planes_are_alike_is_pulled_as_a_plane():
    linear, offset = np.array([[1.0, 0.03], [-0.02, 1.0]]), np.array([0.6, -0.8])
    whole, start = np.eye(3), np.array([0.25, *offset])
    whole[1:, 1:] = linear
    bounds = np.full(3, -np.inf), np.full(3, np.inf)
    found = pulled(whole, start, frame=np.repeat(FRAME[None], 6, axis=0), bounds=bounds)
    np.testing.assert_allclose(found, np.broadcast_to(pulled(linear, offset), found.shape))


def test_what_lies_beyond_the_bounds_in_a_gap_or_unused_is_filled():
    gaps, used = np.zeros((1, *FRAME.shape), bool), np.ones(FRAME.shape, bool)
    gaps[0, 3, 4], used[10] = True, False
    bounds = np.array([0.0, 2.0]), np.array([13.0, 18.0])
    settings = {"gaps": gaps, "used": used, "bounds": bounds, "fill": -7.0}
    found = pulled(np.eye(2), (0.0, 1.0), **settings)
    filled = np.zeros(FRAME.shape, bool)
    filled[:, 0] = filled[:, -1] = filled[10] = filled[3, 3] = True
    np.testing.assert_array_equal(found == -7, filled)


def test_the_chosen_frames_are_pulled():
    frames = np.stack([FRAME, 2 * FRAME, 3 * FRAME])
    out = np.empty((2, *FRAME.shape))
    pull(
        pad(frames), np.tile(np.eye(2), (2, 1, 1)), np.zeros((2, 2)), order=1, bounds=ANYWHERE,
        gaps=np.empty(0, bool), fill=np.nan, out=out, chosen=np.array([2, 0]),
    )  # fmt: skip
    np.testing.assert_allclose(out, frames[[2, 0]])
