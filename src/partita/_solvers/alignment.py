"""Gauss-Newton steps of one frame towards a reference, compiled.

A motion takes places of the reference to places of the frame, both from the centre of the field:
``frame = turn @ reference + shift``. The reference is given by regressors on its grid (itself, a
constant, its derivative by each parameter) and as many instruments; see `rigid`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .jit import compiled
from .splines import PAD, blend, cubic_weights, narrow

Array = np.ndarray[Any, Any]

_EDGE = 1e-4  # voxels: a place this far outside is on the border
_LEAST_GAIN = 0.2  # of a frame's contrast: below it a step would be guesswork
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
    max_iter: int,
    tolerance: float,
    turn: Array,
    shift: Array,
    warped: Array,
) -> tuple[float, float, bool]:
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
    max_iter, tolerance : int, float
        Steps at most, and the length in voxels below which they end.
    turn, shift : ndarray, (d, d) and (d,)
        The motion, in the units of `spacing`.
    warped : ndarray, (*shape)
        Filled with the frame at the places of the reference, 0 where it is not seen.

    Returns
    -------
    similarity : float
        Correlation of the frame, seen so, with the reference; before the last step.
    seen : float
        Share of the field that is seen.
    converged : bool
        Whether the last step was below `tolerance`.
    """
    n_axes, n_terms = spacing.size, full.shape[0]
    linear, offset = np.empty((n_axes, n_axes)), np.empty(n_axes)
    products, moments = np.empty(n_terms), np.empty(2)
    similarity, seen = 0.0, 0.0
    for _ in range(max_iter):
        _to_voxels(turn, shift, spacing, warped.shape, linear, offset)
        matrix = full.copy()
        count = _gather(
            coefficients, missing, linear, offset, left, right, matrix, products, moments, warped
        )
        seen = count / warped.size
        similarity = _correlate(count, matrix, products, moments)
        if not solve(matrix, products):
            return similarity, seen, False
        step = products[2:] / max(products[0], _LEAST_GAIN)
        length = (np.abs(step) * reach).sum()
        if length > _LONGEST:
            step *= _LONGEST / length
        _take_back(step, planes, turn, shift)
        if length < tolerance:
            return similarity, seen, True
    return similarity, seen, False


@compiled
def warp(coefficients: Array, missing: Array, motion: tuple[Any, Any, Any], warped: Array) -> None:
    """Fill `warped` with one frame under (turn, shift, spacing); 0 where it is not seen."""
    turn, shift, spacing = motion
    n_axes = spacing.size
    linear, offset = np.empty((n_axes, n_axes)), np.empty(n_axes)
    _to_voxels(turn, shift, spacing, warped.shape, linear, offset)
    none = np.empty((0, *warped.shape), np.float32)
    empty = np.empty((0, 0))
    _gather(
        coefficients, missing, linear, offset, none, none, empty, np.empty(0), np.empty(2), warped
    )


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
def _correlate(count: int, matrix: Array, products: Array, moments: Array) -> float:
    """Correlate frame and reference where both are seen."""
    if count < 2:
        return 0.0
    spread = matrix[0, 0] - matrix[0, 1] ** 2 / matrix[1, 1]
    power = moments[1] - moments[0] ** 2 / count
    if spread <= 0 or power <= 0:
        return 0.0
    shared = products[0] - products[1] * matrix[0, 1] / matrix[1, 1]
    return float(shared / np.sqrt(spread * power))


@compiled
def solve(matrix: Array, answer: Array) -> bool:
    """Solve a small system in place, with pivots; False if it is singular."""
    n = answer.size
    scale = np.abs(np.diag(matrix)) + 1e-300
    for k in range(n):
        pivot = k + np.argmax(np.abs(matrix[k:, k]))
        if not np.abs(matrix[pivot, k]) > 1e-9 * scale[k]:
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
    left: Array,
    right: Array,
    matrix: Array,
    products: Array,
    moments: Array,
    warped: Array,
) -> int:
    """Interpolate a frame under a motion, and sum what the normal equations need.

    `matrix` comes as the sums over the whole field; what is not seen is taken out of it.
    `products` becomes ``left @ frame``, `moments` the sums of the frame and of its square.
    """
    products[:] = 0.0
    moments[:] = 0.0
    if coefficients.ndim == 2:
        return _gather_plane(
            coefficients, missing, linear, offset, left, right, matrix, products, moments, warped
        )
    return _gather_volume(
        coefficients, missing, linear, offset, left, right, matrix, products, moments, warped
    )


@compiled
def _gather_plane(
    coefficients: Array,
    missing: Array,
    linear: Array,
    offset: Array,
    left: Array,
    right: Array,
    matrix: Array,
    products: Array,
    moments: Array,
    warped: Array,
) -> int:
    ny, nx = warped.shape
    masked, seen = missing.size > 0, 0
    for i in range(ny):
        row = warped[i]
        for j in range(nx):
            y = linear[0, 0] * i + linear[0, 1] * j + offset[0]
            x = linear[1, 0] * i + linear[1, 1] * j + offset[1]
            inside = min(y, x) >= -_EDGE and y <= ny - 1 + _EDGE and x <= nx - 1 + _EDGE
            if inside and masked:
                inside = not missing[min(int(y + 0.5), ny - 1), min(int(x + 0.5), nx - 1)]
            if not inside:
                row[j] = 0.0
                _leave_out(left[:, i, j], right[:, i, j], matrix)
                continue
            seen += 1
            top, at = int(y + 1), int(x + 1)
            v = narrow(cubic_weights(y + 1 - top), coefficients)
            w = narrow(cubic_weights(x + 1 - at), coefficients)
            row[j] = blend(coefficients, top + PAD - 2, at + PAD - 2, v, w)
        _add_row(row, left[:, i], products, moments)
    return seen


@compiled
def _gather_volume(
    coefficients: Array,
    missing: Array,
    linear: Array,
    offset: Array,
    left: Array,
    right: Array,
    matrix: Array,
    products: Array,
    moments: Array,
    warped: Array,
) -> int:
    nz, ny, nx = warped.shape
    masked, seen = missing.size > 0, 0
    for h in range(nz):
        for i in range(ny):
            row = warped[h, i]
            for j in range(nx):
                z = linear[0, 0] * h + linear[0, 1] * i + linear[0, 2] * j + offset[0]
                y = linear[1, 0] * h + linear[1, 1] * i + linear[1, 2] * j + offset[1]
                x = linear[2, 0] * h + linear[2, 1] * i + linear[2, 2] * j + offset[2]
                inside = min(z, y, x) >= -_EDGE and z <= nz - 1 + _EDGE
                inside = inside and y <= ny - 1 + _EDGE and x <= nx - 1 + _EDGE
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
                seen += 1
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
            _add_row(row, left[:, h, i], products, moments)
    return seen


@compiled
def _leave_out(left: Array, right: Array, matrix: Array) -> None:
    for a in range(left.size):
        for b in range(right.size):
            matrix[a, b] -= left[a] * right[b]


@compiled
def _add_row(row: Array, left: Array, products: Array, moments: Array) -> None:
    total, square = np.float32(0.0), np.float32(0.0)
    for j in range(row.size):
        total += row[j]
        square += row[j] * row[j]
    moments[0] += total
    moments[1] += square
    for a in range(left.shape[0]):
        term, product = left[a], np.float32(0.0)
        for j in range(row.size):
            product += term[j] * row[j]
        products[a] += product
