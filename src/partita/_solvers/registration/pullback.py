"""A frame pulled back through a linear map of places, compiled."""

from __future__ import annotations

import numpy as np

from ..compute.compilation import compiled
from ..compute.types import Array
from .splines import PAD, blend, narrow, tap_weights

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
    """Pull a plane that only shifts: the same weights for all of a row, and for all of a column."""
    ny, nx = out.shape
    places, beyond = np.empty(nx, np.int64), np.zeros(nx, np.bool_)
    weights, line = np.empty((4, nx), out.dtype), np.empty(padded.shape[1], out.dtype)
    for j in range(nx):
        x = j + offset[1]
        beyond[j] = x < -HALF or x > nx - 1 + HALF
        x = min(max(x, 0.0), nx - 1.0)
        at = int(x)
        places[j] = at + PAD - 1
        weights[:, j] = narrow(tap_weights(x - at, order), padded)
    # Between the borders all places are as far beyond a sample: one set of weights, several lanes.
    begin = min(max(int(np.ceil(-offset[1])), 0), nx)
    end = max(min(int(np.floor(nx - 1 - offset[1])) + 1, nx), begin)
    borders = np.array([0, begin, end, nx])
    for i in range(ny):
        y = i + offset[0]
        lost = nan_outside and (y < -HALF or y > ny - 1 + HALF)
        y = min(max(y, 0.0), ny - 1.0)
        top = int(y) + PAD - 1
        v0, v1, v2, v3 = narrow(tap_weights(y - int(y), order), padded)
        r0, r1, r2, r3 = padded[top], padded[top + 1], padded[top + 2], padded[top + 3]
        for k in range(line.size):
            line[k] = v0 * r0[k] + v1 * r1[k] + v2 * r2[k] + v3 * r3[k]
        row = out[i]
        for side in (0, 2):
            for j in range(borders[side], borders[side + 1]):
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
        if not nan_outside and gaps.size == 0:
            continue
        for j in range(nx):
            x = min(max(j + offset[1], 0.0), nx - 1.0)
            hole = gaps.size > 0 and gaps[int(y + 0.5), int(x + 0.5)]
            if hole or lost or (nan_outside and beyond[j]):
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
                value = u[0] * blend(padded[deep + PAD - 1], top + PAD - 1, at + PAD - 1, v, w)
                for k in range(1, 4):
                    plane = padded[deep + PAD - 1 + k]
                    value += u[k] * blend(plane, top + PAD - 1, at + PAD - 1, v, w)
                out[h, i, j] = value
