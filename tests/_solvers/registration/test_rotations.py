"""Rotation matrices and their angles, there and back."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.registration import rotations
from partita.datasets import rigid_motion as simulated


@pytest.mark.parametrize("count", [1, 3])
def test_angles_and_matrices_are_inverse_and_those_of_the_simulators(count):
    angles = np.random.default_rng(0).uniform(-1.2, 1.2, (20, count))
    matrices = rotations.to_matrices(angles)
    np.testing.assert_allclose(matrices, simulated.matrices(angles), atol=1e-15)
    np.testing.assert_allclose(rotations.to_angles(matrices), angles, atol=1e-12)


@pytest.mark.parametrize("count", [1, 3])
def test_matrices_are_rotations(count):
    matrices = rotations.to_matrices(np.random.default_rng(1).uniform(-3, 3, (20, count)))
    d = matrices.shape[-1]
    turned = matrices @ np.swapaxes(matrices, 1, 2)
    np.testing.assert_allclose(turned, np.broadcast_to(np.eye(d), turned.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(matrices), 1)


def test_a_positive_angle_turns_the_first_axis_towards_the_second():
    quarter = rotations.to_matrices(np.array([np.pi / 2]))
    np.testing.assert_allclose(quarter @ [1, 0], [0, 1], atol=1e-12)
    about_z = rotations.to_matrices(np.array([np.pi / 2, 0, 0]))
    np.testing.assert_allclose(about_z @ [0, 1, 0], [0, 0, 1], atol=1e-12)
