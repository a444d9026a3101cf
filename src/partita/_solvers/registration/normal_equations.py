"""What the normal equations of one frame need, summed while it is interpolated under a motion."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..compute.compilation import compiled
from ..compute.types import Array
from .splines import PAD, blend, blend_volume, cubic_weights, narrow

_EDGE = 1e-4  # voxels: a place this far outside is inside


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
    """Fill `warped` with one frame under a motion, ``F(turn @ r + shift)``; 0 where it is unseen.

    The arguments are those of `gauss_newton.align`.
    """
    n_axes = spacing.size
    linear, offset = np.empty((n_axes, n_axes)), np.empty(n_axes)
    to_voxels(turn, shift, spacing, warped.shape, linear, offset)
    none = np.empty((0, *warped.shape), np.float32)
    matrix, products = np.empty((0, 0)), np.empty(0)
    gather(coefficients, missing, linear, offset, margin, none, none, matrix, products, warped)


@compiled
def to_voxels(
    turn: Array, shift: Array, spacing: Array, shape: Any, linear: Array, offset: Array
) -> None:
    r"""Write the motion as places of the frame in voxels for voxels of the template.

    .. math:: A_{ij} = R_{ij}\, s_j / s_i, \quad b_i = c_i + t_i / s_i - \sum_j A_{ij} c_j

    with the turn R, the shift t in the units of the spacing s, and the centre c in voxels.
    """
    for i in range(spacing.size):
        offset[i] = 0.5 * (shape[i] - 1) + shift[i] / spacing[i]
        for j in range(spacing.size):
            linear[i, j] = turn[i, j] * spacing[j] / spacing[i]
            offset[i] -= linear[i, j] * 0.5 * (shape[j] - 1)


@compiled
def gather(
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
    r"""Interpolate a frame under a motion, and sum what the normal equations need.

    .. math:: M \leftarrow M - \sum_{r\ \text{unseen}} z_r x_r^\top, \quad
        p = \sum_{r\ \text{seen}} z_r F(A r + b)

    Parameters
    ----------
    coefficients, missing, margin, warped
        As for `gauss_newton.align`.
    linear, offset : ndarray, (d, d) and (d,)
        A and b, voxels.
    left, right : ndarray, (m, *shape)
        Instruments z and regressors x; of m = 0 to interpolate alone.
    matrix : ndarray, (m, m)
        The sums over the whole field, from which what is unseen is taken out.
    products : ndarray, (m,)
        Overwritten.
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
    """Interpolate a plane and sum, as `gather` says."""
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
    """Interpolate a volume and sum, as `gather` says."""
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
                row[j] = blend_volume(
                    coefficients, deep + PAD - 2, top + PAD - 2, at + PAD - 2, u, v, w
                )
            _add_row(row, left[:, h, i], products)


@compiled
def _leave_out(left: Array, right: Array, matrix: Array) -> None:
    r"""Take the product :math:`z x^\top` of one place out of the matrix."""
    for a in range(left.size):
        for b in range(right.size):
            matrix[a, b] -= left[a] * right[b]


@compiled
def _add_row(row: Array, left: Array, products: Array) -> None:
    r"""Add :math:`\sum_j z_j F_j` over a row to the products, in float32: a row is short."""
    for a in range(left.shape[0]):
        term, product = left[a], np.float32(0.0)
        for j in range(row.size):
            product += term[j] * row[j]
        products[a] += product
