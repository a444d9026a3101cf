"""Frames pulled back through linear maps of places, compiled."""

from __future__ import annotations

import numpy as np

from ..compute.compilation import compiled
from ..compute.types import Array
from .splines import PAD, blend, narrow, tap_weights

HALF = 0.5 + 1e-6
"""Voxels from its centre at which a voxel ends."""


def pull(
    padded: Array,
    linear: Array,
    offset: Array,
    *,
    order: int,
    bounds: tuple[Array, Array],
    gaps: Array,
    fill: float,
    out: Array,
    chosen: Array | None = None,
    used: Array | None = None,
) -> None:
    r"""Pull frames through linear maps of places, with the border's value beyond the field.

    .. math:: o(r) = f(A r + b)

    A plane is pulled as a volume of one, which is interpolated in it alone.

    Parameters
    ----------
    padded : ndarray, (n, [z + 2 PAD,] y + 2 PAD, x + 2 PAD)
        The frames f: spline coefficients, or values for the lower orders.
    linear, offset : ndarray, (k, d, d) and (k, d)
        A and b, voxels: the place of the frame that each voxel of `out` shows.
    order : int
        3 for the cubic spline, 1 for linear, 0 for the nearest voxel.
    bounds : tuple of ndarray, (d,) each
        Places along each axis, voxels, below and above which nothing is seen.
    gaps : ndarray of bool, (n, *shape), or of size 0
        Voxels of the frames that hold nothing: nothing is seen where they are the nearest.
    fill : float
        What is written where nothing is seen.
    out : ndarray, (k, *shape)
    chosen : ndarray of int, (k,), optional
        The frames to pull; all by default.
    used : ndarray of bool, (*shape), optional
        Voxels of `out` beyond which only `fill` is written.
    """
    d = linear.shape[-1]
    shape = (1,) * (3 - d) + out.shape[1:]
    whole, start = np.tile(np.eye(3), (len(linear), 1, 1)), np.zeros((len(linear), 3))
    whole[:, 3 - d :, 3 - d :], start[:, 3 - d :] = linear, offset
    low, high = np.full(3, -np.inf), np.full(3, np.inf)
    low[3 - d :], high[3 - d :] = bounds
    _pull(
        padded.reshape(len(padded), *(1,) * (3 - d), *padded.shape[1:]),
        np.arange(len(out)) if chosen is None else chosen,
        whole,
        start,
        order,
        low,
        high,
        gaps.reshape(-1, *shape) if gaps.size else np.empty((0, 0, 0, 0), np.bool_),
        np.ones(shape, np.bool_) if used is None else used.reshape(shape),
        fill,
        out.reshape(len(out), *shape),
    )


@compiled
def _pull(
    padded: Array,
    chosen: Array,
    linear: Array,
    offset: Array,
    order: int,
    low: Array,
    high: Array,
    gaps: Array,
    used: Array,
    fill: float,
    out: Array,
) -> None:
    """Pull volumes, as `pull` says."""
    number, nz, ny, nx = out.shape
    flat, gappy = padded.shape[1] == 1, gaps.size > 0
    low_z, low_y, low_x = low[0], low[1], low[2]
    high_z, high_y, high_x = high[0], high[1], high[2]
    for n in range(number):
        frame, a, b = padded[chosen[n]], linear[n], offset[n]
        across_z, across_y, across_x = a[0, 2], a[1, 2], a[2, 2]
        for h in range(nz):
            for i in range(ny):
                first_z = a[0, 0] * h + a[0, 1] * i + b[0]
                first_y = a[1, 0] * h + a[1, 1] * i + b[1]
                first_x = a[2, 0] * h + a[2, 1] * i + b[2]
                row, wanted = out[n, h, i], used[h, i]
                for j in range(nx):
                    z, y, x = first_z + across_z * j, first_y + across_y * j, first_x + across_x * j
                    seen = wanted[j] and y >= low_y and y <= high_y and x >= low_x and x <= high_x
                    if not (seen and z >= low_z and z <= high_z):
                        row[j] = fill
                        continue
                    z = min(max(z, 0.0), nz - 1.0)
                    y = min(max(y, 0.0), ny - 1.0)
                    x = min(max(x, 0.0), nx - 1.0)
                    if gappy and gaps[chosen[n], int(z + 0.5), int(y + 0.5), int(x + 0.5)]:
                        row[j] = fill
                        continue
                    deep, top, at = int(z), int(y), int(x)
                    v = narrow(tap_weights(y - top, order), padded)
                    w = narrow(tap_weights(x - at, order), padded)
                    if flat:
                        row[j] = blend(frame[0], top + PAD - 1, at + PAD - 1, v, w)
                        continue
                    u = narrow(tap_weights(z - deep, order), padded)
                    value = u[0] * 0
                    for k in range(4):
                        plane = frame[deep + PAD - 1 + k]
                        value += u[k] * blend(plane, top + PAD - 1, at + PAD - 1, v, w)
                    row[j] = value


@compiled
def slide(padded: Array, down: float, right: float, order: int, out: Array) -> None:
    r"""Pull a plane that only shifts: the same weights for all of a row, and for all of a column.

    .. math:: o_{ij} = \sum_{kl} v_k w_l c_{i + k,\, j + l}

    Parameters
    ----------
    padded, order, out
        As for `pull`, of one plane.
    down, right : float
        The shift, voxels: positive looks towards larger index.
    """
    ny, nx = out.shape
    whole = int(np.floor(right))
    w0, w1, w2, w3 = narrow(tap_weights(right - whole, order), padded)
    e0, e1, e2, e3 = narrow(tap_weights(0.0, order), padded)
    # Between the borders all places are as far beyond a sample: one set of weights, several lanes.
    begin = min(max(int(np.ceil(-right)), 0), nx)
    end = max(min(int(np.floor(nx - 1 - right)) + 1, nx), begin)
    line = np.empty(padded.shape[1], out.dtype)
    l0, l1, l2, l3 = line, line[1:], line[2:], line[3:]
    skipped = min(max(begin + whole + PAD - 1, 0), nx)
    m0, m1, m2, m3 = line[skipped:], line[skipped + 1 :], line[skipped + 2 :], line[skipped + 3 :]
    for i in range(ny):
        y = min(max(i + down, 0.0), ny - 1.0)
        top = int(y) + PAD - 1
        v0, v1, v2, v3 = narrow(tap_weights(y - int(y), order), padded)
        r0, r1, r2, r3 = padded[top], padded[top + 1], padded[top + 2], padded[top + 3]
        for k in range(line.size):
            line[k] = v0 * r0[k] + v1 * r1[k] + v2 * r2[k] + v3 * r3[k]
        row = out[i]
        inner = row[begin:end]
        for j in range(inner.size):
            inner[j] = w0 * m0[j] + w1 * m1[j] + w2 * m2[j] + w3 * m3[j]
        for edges, at in ((row[:begin], PAD - 1), (row[end:], nx - 1 + PAD - 1)):
            value = e0 * l0[at] + e1 * l1[at] + e2 * l2[at] + e3 * l3[at]
            for j in range(edges.size):
                edges[j] = value
