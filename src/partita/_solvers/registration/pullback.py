"""A frame pulled back through a linear map of places, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..compute.compilation import compiled
from ..compute.types import Array
from .splines import PAD, blend, blend_volume, narrow, tap_weights

HALF = 0.5 + 1e-6
"""Voxels from its centre at which a voxel ends."""


@compiled
def slide_plane(
    padded: Array,
    linear: Array,
    offset: Array,
    order: int,
    nan_outside: bool,
    gaps: Array,
    out: Array,
) -> None:
    r"""Pull a plane that only shifts: the same weights for all of a row, and for all of a column.

    .. math:: o_{ij} = \sum_{kl} v_k(i + \delta_y)\, w_l(j + \delta_x)\, c_{kl}

    Parameters
    ----------
    padded, order, nan_outside, gaps, out
        As for `pull_plane`.
    linear : ndarray, (2, 2)
        The identity.
    offset : ndarray, (2,)
        The shift δ, voxels: positive looks towards larger index.
    """
    ny, nx = out.shape
    places, weights = np.empty(nx, np.int64), np.empty((4, nx), out.dtype)
    for j in range(nx):
        x = min(max(j + offset[1], 0.0), nx - 1.0)
        places[j] = int(x) + PAD - 1
        weights[:, j] = narrow(tap_weights(x - int(x), order), padded)
    # Between the borders all places are as far beyond a sample: one set of weights, several lanes.
    begin = min(max(int(np.ceil(-offset[1])), 0), nx)
    end = max(min(int(np.floor(nx - 1 - offset[1])) + 1, nx), begin)
    line = np.empty(padded.shape[1], out.dtype)
    for i in range(ny):
        y = min(max(i + offset[0], 0.0), ny - 1.0)
        _blend_rows(padded, int(y) + PAD - 1, tap_weights(y - int(y), order), line)
        _blend_line(line, places, weights, begin, end, out[i])
        if nan_outside or gaps.size > 0:
            _lose(i + offset[0], offset[1], nan_outside, gaps, ny, out[i])


@compiled
def _blend_rows(padded: Array, top: int, weights: Any, line: Array) -> None:
    r"""Write the sum :math:`\sum_k v_k c_{k}` of four rows of coefficients from `top` on."""
    v0, v1, v2, v3 = narrow(weights, padded)
    r0, r1, r2, r3 = padded[top], padded[top + 1], padded[top + 2], padded[top + 3]
    for k in range(line.size):
        line[k] = v0 * r0[k] + v1 * r1[k] + v2 * r2[k] + v3 * r3[k]


@compiled
def _blend_line(
    line: Array, places: Array, weights: Array, begin: int, end: int, row: Array
) -> None:
    r"""Write :math:`\sum_l w_l l_{l}` of four of a line at every place.

    From `begin` to `end` the weights are all those at `begin`.
    """
    for first, last in ((0, begin), (end, row.size)):
        for j in range(first, last):
            at = places[j]
            row[j] = (
                weights[0, j] * line[at]
                + weights[1, j] * line[at + 1]
                + weights[2, j] * line[at + 2]
                + weights[3, j] * line[at + 3]
            )
    if end > begin:
        at, inner = places[begin], row[begin:end]
        w0, w1, w2, w3 = weights[:, begin]
        l0, l1, l2, l3 = line[at:], line[at + 1 :], line[at + 2 :], line[at + 3 :]
        for j in range(inner.size):
            inner[j] = w0 * l0[j] + w1 * l1[j] + w2 * l2[j] + w3 * l3[j]


@compiled
def _lose(y: float, shift: float, nan_outside: bool, gaps: Array, ny: int, row: Array) -> None:
    """Make NaN of a row that is seen at `y` what lies in a gap, or beyond the field if asked."""
    nx = row.size
    lost = nan_outside and (y < -HALF or y > ny - 1 + HALF)
    y = min(max(y, 0.0), ny - 1.0)
    for j in range(nx):
        x = j + shift
        beyond = nan_outside and (x < -HALF or x > nx - 1 + HALF)
        x = min(max(x, 0.0), nx - 1.0)
        if lost or beyond or (gaps.size > 0 and gaps[int(y + 0.5), int(x + 0.5)]):
            row[j] = np.nan


@compiled
def pull_plane(
    padded: Array,
    linear: Array,
    offset: Array,
    order: int,
    nan_outside: bool,
    gaps: Array,
    out: Array,
) -> None:
    r"""Pull a plane through a linear map of places, with the border's value beyond the field.

    .. math:: o(r) = f(A r + b)

    Parameters
    ----------
    padded : ndarray, (y + 2 PAD, x + 2 PAD)
        The frame f: spline coefficients, or values for the lower orders.
    linear, offset : ndarray, (2, 2) and (2,)
        A and b, voxels: the place of the frame that each voxel of `out` shows.
    order : int
        3 for the cubic spline, 1 for linear, 0 for the nearest voxel.
    nan_outside : bool
        Whether what lies more than half a voxel beyond the field is NaN.
    gaps : ndarray of bool, (y, x), or of size 0
        Voxels of the frame that hold nothing: NaN where they are the nearest.
    out : ndarray, (y, x)
    """
    ny, nx = out.shape
    for i in range(ny):
        for j in range(nx):
            y = linear[0, 0] * i + linear[0, 1] * j + offset[0]
            x = linear[1, 0] * i + linear[1, 1] * j + offset[1]
            beyond = min(y, x) < -HALF or y > ny - 1 + HALF or x > nx - 1 + HALF
            y = min(max(y, 0.0), ny - 1.0)
            x = min(max(x, 0.0), nx - 1.0)
            if (beyond and nan_outside) or (gaps.size > 0 and gaps[int(y + 0.5), int(x + 0.5)]):
                out[i, j] = np.nan
                continue
            top, at = int(y), int(x)
            v = narrow(tap_weights(y - top, order), padded)
            w = narrow(tap_weights(x - at, order), padded)
            out[i, j] = blend(padded, top + PAD - 1, at + PAD - 1, v, w)


@compiled
def pull_volume(
    padded: Array,
    linear: Array,
    offset: Array,
    order: int,
    nan_outside: bool,
    gaps: Array,
    out: Array,
) -> None:
    """Pull a volume through a linear map of places, as `pull_plane` does a plane."""
    nz, ny, nx = out.shape
    for h in range(nz):
        for i in range(ny):
            for j in range(nx):
                z = linear[0, 0] * h + linear[0, 1] * i + linear[0, 2] * j + offset[0]
                y = linear[1, 0] * h + linear[1, 1] * i + linear[1, 2] * j + offset[1]
                x = linear[2, 0] * h + linear[2, 1] * i + linear[2, 2] * j + offset[2]
                beyond = min(z, y, x) < -HALF or z > nz - 1 + HALF
                beyond = beyond or y > ny - 1 + HALF or x > nx - 1 + HALF
                z = min(max(z, 0.0), nz - 1.0)
                y = min(max(y, 0.0), ny - 1.0)
                x = min(max(x, 0.0), nx - 1.0)
                lost = gaps.size > 0 and gaps[int(z + 0.5), int(y + 0.5), int(x + 0.5)]
                if lost or (beyond and nan_outside):
                    out[h, i, j] = np.nan
                    continue
                deep, top, at = int(z), int(y), int(x)
                u = narrow(tap_weights(z - deep, order), padded)
                v = narrow(tap_weights(y - top, order), padded)
                w = narrow(tap_weights(x - at, order), padded)
                out[h, i, j] = blend_volume(
                    padded, deep + PAD - 1, top + PAD - 1, at + PAD - 1, u, v, w
                )
