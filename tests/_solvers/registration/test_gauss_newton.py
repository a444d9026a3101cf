"""Steps of Gauss-Newton: known motions walked to, frames seen under them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from partita._solvers.registration.frame_normalisation import NormalisedFrames, normalise_frames
from partita._solvers.registration.gauss_newton import align, see
from partita._solvers.registration.rigid_template import Field
from partita._solvers.registration.rotations import to_angles, to_matrices
from partita._solvers.registration.splines import coefficients
from partita._solvers.registration.template import take_template

PLANE = (40, 48)


@pytest.fixture(scope="module")
def scene(moving_blobs):
    """Make a still frame and one that has moved, both normalised, and the template of the first."""
    angles = np.array([[0.0], [0.02]])
    frames = moving_blobs(PLANE, np.array([[0, 0], [1.2, -0.7]]), angles)
    ready = normalise_frames(frames, roots=False)
    field = Field(PLANE, np.ones(2), True, np.full(2, 10.0))
    return ready, take_template(frames[0], field, roots=False), field


def walk(scene, *, max_iter=30, tolerance=1e-4):
    ready, template, field = scene
    return align(
        ready, np.arange(2), np.tile(np.eye(2), (2, 1, 1)), np.zeros((2, 2)), template, field,
        coarse=False, max_iter=max_iter, tolerance=tolerance,
    )  # fmt: skip


@pytest.mark.parametrize("shape", [(24, 31), (9, 14, 17)])
def test_a_frame_is_seen_as_scipy_sees_it(shape):
    noise = np.random.default_rng(0).standard_normal(shape)
    frame, d = ndimage.gaussian_filter(noise, 1.0).astype(np.float32), len(shape)
    turn = to_matrices(np.deg2rad([3.0] if d == 2 else [3.0, -2.0, 1.0]))
    shift, out = np.array([0.7, -1.3, 0.4][:d]), np.empty((1, *shape), np.float32)
    none = np.zeros((1, *(0,) * d), bool)
    ready = NormalisedFrames(frame[None], none, np.zeros(1, bool), coefficients(frame[None]))
    field = Field(shape, np.ones(d), True, np.full(d, 5.0))
    see(ready, np.arange(1), turn[None], shift[None], field, None, out)
    middle = (np.array(shape) - 1) / 2
    start = middle + shift - turn @ middle
    expected = ndimage.affine_transform(frame, turn, start, order=3, mode="mirror")
    inside = out[0] != 0
    assert 0.2 < inside.mean() < 0.95
    np.testing.assert_allclose(out[0][inside], expected[inside], atol=1e-4)


def test_a_still_frame_stays_and_a_moved_one_is_walked_to(scene):
    found = walk(scene)
    assert found.converged.all()
    assert 0.8 < found.seen[1] <= found.seen[0] <= 1
    np.testing.assert_allclose(found.shift, [[0, 0], [1.2, -0.7]], atol=0.01)
    np.testing.assert_allclose(to_angles(found.turn), [[0], [0.02]], atol=5e-4)
    np.testing.assert_allclose(
        found.turn @ np.swapaxes(found.turn, 1, 2), [np.eye(2)] * 2, atol=1e-9
    )


def test_too_few_steps_are_not_convergence(scene):
    assert walk(scene, max_iter=1).converged.tolist() == [True, False]
