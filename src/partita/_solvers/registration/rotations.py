"""Rotation matrices and their angles, in the order of the recording's axes.

One angle turns the first axis towards the second. Three are angles about z (y towards x), about y
(z towards x) and about x (z towards y), the one about x applied first.
"""

from __future__ import annotations

import numpy as np

from ..compute.types import Array


def to_matrices(angles: Array) -> Array:
    """Return matrices (..., d, d) of angles (..., 1 or 3) in radians."""
    if angles.shape[-1] == 1:
        return _turn(angles[..., 0], 2, 0, 1)
    about_z, about_y, about_x = np.moveaxis(angles, -1, 0)
    return _turn(about_z, 3, 1, 2) @ _turn(about_y, 3, 0, 2) @ _turn(about_x, 3, 0, 1)


def to_angles(matrices: Array) -> Array:
    """Return the angles (..., 1 or 3) of matrices (..., d, d); about y within a quarter turn."""
    if matrices.shape[-1] == 2:
        return np.arctan2(matrices[..., 1, 0], matrices[..., 0, 0])[..., None]
    about_z = np.arctan2(-matrices[..., 1, 2], matrices[..., 2, 2])
    about_y = -np.arcsin(np.clip(matrices[..., 0, 2], -1, 1))
    about_x = np.arctan2(-matrices[..., 0, 1], matrices[..., 0, 0])
    return np.stack([about_z, about_y, about_x], axis=-1)


def _turn(angle: Array, n_axes: int, first: int, second: int) -> Array:
    turn = np.zeros((*angle.shape, n_axes, n_axes))
    turn[...] = np.eye(n_axes)
    turn[..., first, first] = turn[..., second, second] = np.cos(angle)
    turn[..., first, second] = -np.sin(angle)
    turn[..., second, first] = np.sin(angle)
    return turn
