"""Normal equations: motions in voxels, sums over what is seen, small systems solved."""

from __future__ import annotations

import numpy as np

from partita._solvers.registration.normal_equations import solve, sum_seen, to_voxels
from partita._solvers.registration.rotations import to_matrices


def test_motions_in_units_of_space_become_places_in_voxels():
    turn, shift = to_matrices(np.array([[0.3], [-0.1]])), np.array([[0.5, -2.0], [0.0, 1.0]])
    spacing, middle = np.array([0.1, -0.4]), np.array([5.0, 10.0])
    linear, offset = to_voxels(turn, shift, spacing, (11, 21))
    for voxel in np.random.default_rng(0).uniform(0, 20, (5, 2)):
        place = turn @ (spacing * (voxel - middle)) + shift
        np.testing.assert_allclose(linear @ voxel + offset, place / spacing + middle)


def test_sums_are_those_over_what_is_seen():
    rng = np.random.default_rng(1)
    left, right = rng.standard_normal((2, 4, 9, 14)).astype(np.float32)
    used = rng.random((9, 14)) > 0.2
    left *= used
    left[1] = used
    warped = rng.standard_normal((3, 9, 14)).astype(np.float32)
    warped *= rng.random(warped.shape) > 0.3
    full = np.einsum("ayx,byx->ab", left.astype(float), right.astype(float))
    matrices, products = sum_seen(warped, left, right, full)
    for frame, matrix, product in zip(warped, matrices, products, strict=True):
        seen = frame != 0
        expected = left[:, seen].astype(float) @ right[:, seen].T
        np.testing.assert_allclose(matrix, expected, atol=1e-4)
        np.testing.assert_allclose(product, left[:, seen] @ frame[seen], atol=1e-4)


def test_small_systems_are_solved_with_pivots_and_singular_ones_told():
    rng = np.random.default_rng(0)
    matrices, answers = rng.standard_normal((5, 6, 6)), rng.standard_normal((5, 6))
    matrices[1, 0, 0] = 0
    matrices[3, 3] = matrices[3, 2]
    found, known = solve(matrices, answers, np.full(6, 1e-9))
    assert known.tolist() == [True, True, True, False, True]
    expected = np.linalg.solve(matrices[known], answers[known][..., None])[..., 0]
    np.testing.assert_allclose(found[known], expected)
