"""Gauss-Newton steps of one frame towards a reference, compiled.

A motion takes places of the reference to places of the frame, both from the centre of the field:
``frame = turn @ reference + shift``. The reference is given by regressors on its grid (itself, a
constant, its derivative by each parameter) and as many instruments; see `rigid`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..compute.compilation import compiled
from .splines import PAD, blend, cubic_weights, narrow

Array = np.ndarray[Any, Any]


_EDGE = 1e-4  # voxels: a place this far outside is inside
_LEAST_GAIN = 0.2  # of a frame's contrast: below it a step would be guesswork
_FAINTEST = 1e-5  # of the strongest parameter's part in the normal equations
_LONGEST = 3.0  # voxels a step may take


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
        Filled with the frame at the places of the reference, 0 where it is not seen.

    Returns
    -------
    seen : float
        Share of the reference that is seen.
    converged : bool
        Whether the last step was below `tolerance`.
    """
    n_axes, n_terms = spacing.size, full.shape[0]
    linear, offset = np.empty((n_axes, n_axes)), np.empty(n_axes)
    products, seen = np.empty(n_terms), 0.0
    least = _least_pivots(full, reach)
    for _ in range(max_iter):
        _to_voxels(turn, shift, spacing, warped.shape, linear, offset)
        matrix = full.copy()
        _gather(
            coefficients, missing, linear, offset, margin, left, right, matrix, products, warped
        )
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
def see(
    coefficients: Array,
    missing: Array,
    turn: Array,
    shift: Array,
    spacing: Array,
    margin: Array,
    warped: Array,
) -> None:
    """Fill `warped` with one frame under a motion; 0 where it is not seen."""
    n_axes = spacing.size
    linear, offset = np.empty((n_axes, n_axes)), np.empty(n_axes)
    _to_voxels(turn, shift, spacing, warped.shape, linear, offset)
    none = np.empty((0, *warped.shape), np.float32)
    matrix, products = np.empty((0, 0)), np.empty(0)
    _gather(coefficients, missing, linear, offset, margin, none, none, matrix, products, warped)


@compiled
def _to_voxels(
    turn: Array, shift: Array, spacing: Array, shape: Any, linear: Array, offset: Array
) -> None:
    """Write the motion as places of the frame in voxels for voxels of the reference."""
    for i in range(spacing.size):
        offset[i] = 0.5 * (shape[i] - 1) + shift[i] / spacing[i]
        for j in range(spacing.size):
            linear[i, j] = turn[i, j] * spacing[j] / spacing[i]
            offset[i] -= linear[i, j] * 0.5 * (shape[j] - 1)


@compiled
def _take_back(step: Array, planes: Array, turn: Array, shift: Array) -> None:
    """Compose the motion with the inverse of a step of the reference."""
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
    """Return the pivots below which a parameter is unknown, as along stripes."""
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


@compiled
def _gather(
    coefficients: Array,
    missing: Array,
    linear: Array,
    offset: Array,
    margin: Array,
    left: Array,
    right: Array,
    matrix: Array,
    products: Array,
    warped: Array,
) -> None:
    """Interpolate a frame under a motion, and sum what the normal equations need.

    `matrix` comes as the sums over the whole field; what is not seen is taken out of it.
    `products` becomes ``left @ frame``.
    """
    products[:] = 0.0
    if coefficients.ndim == 2:
        _gather_plane(
            coefficients, missing, linear, offset, margin, left, right, matrix, products, warped
        )
    else:
        _gather_volume(
            coefficients, missing, linear, offset, margin, left, right, matrix, products, warped
        )


@compiled
def _gather_plane(
    coefficients: Array,
    missing: Array,
    linear: Array,
    offset: Array,
    margin: Array,
    left: Array,
    right: Array,
    matrix: Array,
    products: Array,
    warped: Array,
) -> None:
    ny, nx = warped.shape
    masked, weighted = missing.size > 0, left.shape[0] > 0
    low_y, high_y = margin[0] - _EDGE, ny - 1 - margin[0] + _EDGE
    low_x, high_x = margin[1] - _EDGE, nx - 1 - margin[1] + _EDGE
    for i in range(ny):
        row = warped[i]
        for j in range(nx):
            if weighted and left[1, i, j] == 0:
                row[j] = 0.0
                continue
            y = linear[0, 0] * i + linear[0, 1] * j + offset[0]
            x = linear[1, 0] * i + linear[1, 1] * j + offset[1]
            inside = y >= low_y and y <= high_y and x >= low_x and x <= high_x
            if inside and masked:
                inside = not missing[min(int(y + 0.5), ny - 1), min(int(x + 0.5), nx - 1)]
            if not inside:
                row[j] = 0.0
                _leave_out(left[:, i, j], right[:, i, j], matrix)
                continue
            top, at = int(y + 1), int(x + 1)
            v = narrow(cubic_weights(y + 1 - top), coefficients)
            w = narrow(cubic_weights(x + 1 - at), coefficients)
            row[j] = blend(coefficients, top + PAD - 2, at + PAD - 2, v, w)
        _add_row(row, left[:, i], products)


@compiled
def _gather_volume(
    coefficients: Array,
    missing: Array,
    linear: Array,
    offset: Array,
    margin: Array,
    left: Array,
    right: Array,
    matrix: Array,
    products: Array,
    warped: Array,
) -> None:
    nz, ny, nx = warped.shape
    masked, weighted = missing.size > 0, left.shape[0] > 0
    low, high = margin - _EDGE, np.array([nz - 1, ny - 1, nx - 1]) - margin + _EDGE
    for h in range(nz):
        for i in range(ny):
            row = warped[h, i]
            for j in range(nx):
                if weighted and left[1, h, i, j] == 0:
                    row[j] = 0.0
                    continue
                z = linear[0, 0] * h + linear[0, 1] * i + linear[0, 2] * j + offset[0]
                y = linear[1, 0] * h + linear[1, 1] * i + linear[1, 2] * j + offset[1]
                x = linear[2, 0] * h + linear[2, 1] * i + linear[2, 2] * j + offset[2]
                inside = z >= low[0] and z <= high[0] and y >= low[1] and y <= high[1]
                inside = inside and x >= low[2] and x <= high[2]
                if inside and masked:
                    inside = not missing[
                        min(int(z + 0.5), nz - 1),
                        min(int(y + 0.5), ny - 1),
                        min(int(x + 0.5), nx - 1),
                    ]
                if not inside:
                    row[j] = 0.0
                    _leave_out(left[:, h, i, j], right[:, h, i, j], matrix)
                    continue
                deep, top, at = int(z + 1), int(y + 1), int(x + 1)
                u = narrow(cubic_weights(z + 1 - deep), coefficients)
                v = narrow(cubic_weights(y + 1 - top), coefficients)
                w = narrow(cubic_weights(x + 1 - at), coefficients)
                value = u[0] * blend(
                    coefficients[deep + PAD - 2], top + PAD - 2, at + PAD - 2, v, w
                )
                for k in range(1, 4):
                    plane = coefficients[deep + PAD - 2 + k]
                    value += u[k] * blend(plane, top + PAD - 2, at + PAD - 2, v, w)
                row[j] = value
            _add_row(row, left[:, h, i], products)


@compiled
def _leave_out(left: Array, right: Array, matrix: Array) -> None:
    for a in range(left.size):
        for b in range(right.size):
            matrix[a, b] -= left[a] * right[b]


@compiled
def _add_row(row: Array, left: Array, products: Array) -> None:
    for a in range(left.shape[0]):
        term, product = left[a], np.float32(0.0)
        for j in range(row.size):
            product += term[j] * row[j]
        products[a] += product
