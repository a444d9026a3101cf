"""Steps of Gauss-Newton: small systems solved, known motions walked to."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.registration.frame_normalisation import normalise_frames
from partita._solvers.registration.gauss_newton import align, solve
from partita._solvers.registration.rigid_template import Field
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


def walk(scene, number, *, max_iter=30, tolerance=1e-4):
    ready, template, field = scene
    turn, shift, warped = np.eye(2), np.zeros(2), np.empty(PLANE, np.float32)
    left, full = template.fine
    seen, converged = align(
        ready.coefficients[number],
        ready.missing[number],
        left,
        template.regressors,
        full,
        field.spacing,
        field.planes,
        template.reach,
        field.margin,
        max_iter,
        tolerance,
        turn,
        shift,
        warped,
    )
    return turn, shift, seen, converged


def test_small_systems_are_solved_with_pivots_and_singular_ones_told():
    rng = np.random.default_rng(0)
    matrix, answer = rng.standard_normal((6, 6)), rng.standard_normal(6)
    expected, found = np.linalg.solve(matrix, answer), answer.copy()
    assert solve(matrix.copy(), found, np.full(6, 1e-9))
    np.testing.assert_allclose(found, expected)
    matrix[3] = matrix[2]
    assert not solve(matrix, answer, np.full(6, 1e-9))


def test_a_still_frame_stays_and_a_moved_one_is_walked_to(scene):
    turn, shift, seen, converged = walk(scene, 0)
    assert converged
    np.testing.assert_allclose(shift, 0, atol=0.01)
    turn, shift, seen, converged = walk(scene, 1)
    assert converged
    assert 0.8 < seen <= 1
    np.testing.assert_allclose(shift, [1.2, -0.7], atol=0.01)
    assert np.arctan2(turn[1, 0], turn[0, 0]) == pytest.approx(0.02, abs=5e-4)
    np.testing.assert_allclose(turn @ turn.T, np.eye(2), atol=1e-9)


def test_too_few_steps_are_not_convergence(scene):
    assert not walk(scene, 1, max_iter=1)[3]
