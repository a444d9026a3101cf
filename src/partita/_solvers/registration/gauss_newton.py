"""Gauss-Newton steps of one frame towards a template, compiled.

A motion takes places of the template to places of the frame, both from the centre of the field:
``frame = turn @ template + shift``. The template is given by regressors on its grid (itself, a
constant, its derivative by each parameter) and as many instruments; see `rigid`.
"""

from __future__ import annotations

import numpy as np

from ..compute.compilation import compiled
from ..compute.types import Array
from .normal_equations import gather, to_voxels

_LEAST_GAIN = 0.2  # of a frame's contrast: below it a step would be guesswork
# Of the strongest parameter's part in the normal equations: less is rounding of float32 sums.
_FAINTEST = 1e-5
_LONGEST = 3.0  # voxels a step may take: as far as the derivatives of coarse steps are smoothed


@compiled
def align(
    coefficients: Array,
    missing: Array,
    left: Array,
    right: Array,
    full: Array,
    spacing: Array,
    planes: Array,
    reach: Array,
    margin: Array,
    max_iter: int,
    tolerance: float,
    turn: Array,
    shift: Array,
    warped: Array,
) -> tuple[float, bool]:
    """Follow one frame from a start in `turn` and `shift`, which are overwritten.

    Parameters
    ----------
    coefficients : ndarray, (*(size + 2 PAD))
        Spline coefficients of the frame.
    missing : ndarray of bool, (*shape), or of size 0
        Voxels of the frame not to be used.
    left, right : ndarray, (2 + p, *shape)
        Instruments and regressors.
    full : ndarray, (2 + p, 2 + p)
        ``left @ right.T`` over the field.
    spacing : ndarray, (d,)
        Signed voxel size.
    planes : ndarray of int, (p - d, 2)
        The two axes of each angle: it turns the first towards the second.
    reach : ndarray, (p,)
        How many voxels a unit of a parameter moves a corner of the field.
    margin : ndarray, (d,)
        Voxels along the border of the frame that are not used: smoothing mirrored them.
    max_iter, tolerance : int, float
        Steps at most, and the length in voxels below which they end.
    turn, shift : ndarray, (d, d) and (d,)
        The motion, in the units of `spacing`.
    warped : ndarray, (*shape)
        Filled with the frame at the places of the template, 0 where it is not seen.

    Returns
    -------
    seen : float
        Share of the template that is seen.
    converged : bool
        Whether the last step was below `tolerance`.
    """
    n_axes, n_terms = spacing.size, full.shape[0]
    linear, offset = np.empty((n_axes, n_axes)), np.empty(n_axes)
    products, seen = np.empty(n_terms), 0.0
    least = _least_pivots(full, reach)
    for _ in range(max_iter):
        to_voxels(turn, shift, spacing, warped.shape, linear, offset)
        matrix = full.copy()
        gather(coefficients, missing, linear, offset, margin, left, right, matrix, products, warped)
        seen = matrix[1, 1] / full[1, 1]
        if not solve(matrix, products, least):
            return seen, False
        step = products[2:] / max(products[0], _LEAST_GAIN)
        length = (np.abs(step) * reach).sum()
        if length > _LONGEST:
            step *= _LONGEST / length
        _take_back(step, planes, turn, shift)
        if length < tolerance:
            return seen, True
    return seen, False


@compiled
def _take_back(step: Array, planes: Array, turn: Array, shift: Array) -> None:
    r"""Compose the motion with the inverse of a step of the template, in place.

    .. math:: R \leftarrow R\, Q^\top, \quad t \leftarrow t - R\, \delta

    with the turn Q and the shift δ of the step, radians and the units of the spacing.
    """
    n_axes = shift.size
    for k in range(planes.shape[0]):
        first, second = planes[k, 0], planes[k, 1]
        c, s = np.cos(step[n_axes + k]), np.sin(step[n_axes + k])
        for i in range(n_axes):
            a, b = turn[i, first], turn[i, second]
            turn[i, first], turn[i, second] = a * c - b * s, a * s + b * c
    for i in range(n_axes):
        for j in range(n_axes):
            shift[i] -= turn[i, j] * step[j]


@compiled
def _least_pivots(full: Array, reach: Array) -> Array:
    """Return the pivots below which a parameter is unknown, as along stripes.

    The share `_FAINTEST` of the diagonal; for motions, of the strongest one in voxels.
    """
    least: Array = _FAINTEST * np.abs(np.diag(full))
    strongest = (np.abs(np.diag(full))[2:] / reach**2).max()
    least[2:] = _FAINTEST * strongest * reach**2
    return least


@compiled
def solve(matrix: Array, answer: Array, least: Array) -> bool:
    """Solve a small system in place, with pivots; False if one is not above `least`, (n,)."""
    n = answer.size
    for k in range(n):
        pivot = k + np.argmax(np.abs(matrix[k:, k]))
        if not np.abs(matrix[pivot, k]) > least[k]:
            return False
        for j in range(n):
            matrix[k, j], matrix[pivot, j] = matrix[pivot, j], matrix[k, j]
        answer[k], answer[pivot] = answer[pivot], answer[k]
        for i in range(k + 1, n):
            factor = matrix[i, k] / matrix[k, k]
            for j in range(k, n):
                matrix[i, j] -= factor * matrix[k, j]
            answer[i] -= factor * answer[k]
    for k in range(n - 1, -1, -1):
        for j in range(k + 1, n):
            answer[k] -= matrix[k, j] * answer[j]
        answer[k] /= matrix[k, k]
    return True
