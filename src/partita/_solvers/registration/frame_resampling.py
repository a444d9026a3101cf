"""Frames seen from another place: one interpolation of the original samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import ndimage

from ..compute.compilation import compiled
from ..compute.scratch import Scratch
from ..compute.threads import Crew
from .splines import PAD, blend, coefficients, narrow, pad, tap_weights

Array = np.ndarray[Any, Any]


ORDERS = {"nearest": 0, "linear": 1, "cubic": 3}
HALF = 0.5 + 1e-6
"""Voxels from its centre at which a voxel ends."""


_BLOCK_BYTES = 1 << 21


def resample(
    frames: Array, linear: Array, offset: Array, *, order: int, nan_outside: bool, crew: Crew
) -> Array:
    """Return each frame at the places ``linear @ voxel + offset``.

    Places beyond the field take the value at its border, or NaN where they lie more than half a
    voxel beyond and `nan_outside` is set. A frame that is nowhere negative stays so: what the
    spline rings below zero becomes zero. Values that are not finite stay where they are in the
    tissue (NaN, moved with it), and their surroundings are interpolated as if the nearest value
    continued.

    Parameters
    ----------
    frames : numpy.ndarray, (n, y, x) or (n, z, y, x), float32 or float64
    linear, offset : numpy.ndarray, (n, d, d) and (n, d)
        In voxels.
    order : int
        3 for the cubic spline, 1 for linear, 0 for the nearest voxel.
    nan_outside : bool
        Whether places beyond the field are NaN.
    crew : Crew
        Threads to share the frames out over.
    """
    move = _choose_pull(linear)

    def pull(number: int, padded: Array, gaps: Array, out: Array) -> None:
        move(padded, linear[number], offset[number], order, nan_outside, gaps, out)

    return pull_all(frames, pull, order=order, crew=crew)


def pull_all(
    frames: Array, pull: Callable[[int, Array, Array, Array], None], *, order: int, crew: Crew
) -> Array:
    """Return what `pull` sees of each frame, gaps filled on the way and signs kept.

    It is called with the number of a frame, its values or (`order` 3) coefficients, padded, where
    its gaps are (of size 0 if it has none), and what to fill.
    """
    result, scratch = np.empty(frames.shape, frames.dtype), Scratch()

    def work(block: slice) -> None:
        _pull_block(frames[block], block.start, pull, order, scratch, result[block])

    step = max(1, _BLOCK_BYTES // max(1, frames[:1].nbytes))
    crew.map(work, [slice(i, i + step) for i in range(0, len(frames), step)])
    return result


def leaves_field(shape: tuple[int, ...], linear: Array, offset: Array) -> Array:
    """Return which voxels of the reference lie beyond the field in any frame, (*shape)."""
    outside = np.zeros(shape, dtype=bool)
    grids = np.ix_(*[np.arange(n, dtype=np.float64) for n in shape])
    for matrix, start in zip(linear, offset, strict=True):
        for axis, size in enumerate(shape):
            place = sum(
                (matrix[axis, k] * grid for k, grid in enumerate(grids)), np.float64(start[axis])
            )
            outside |= (place < -HALF) | (place > size - 1 + HALF)
    return outside


def _pull_block(
    frames: Array,
    first: int,
    pull: Callable[[int, Array, Array, Array], None],
    order: int,
    scratch: Scratch,
    out: Array,
) -> None:
    values = np.ascontiguousarray(frames)
    none = np.zeros((0,) * (values.ndim - 1), dtype=bool)
    flat = values.reshape(len(values), -1)
    whole = np.isfinite(flat.min(axis=1)) & np.isfinite(flat.max(axis=1))
    lost = {int(n): ~np.isfinite(values[n]) for n in np.flatnonzero(~whole)}
    if lost:
        values = values.copy()
    for n, gaps in lost.items():
        fill_nearest(values[n], gaps)
    prepare = coefficients if order == 3 else pad
    padded = prepare(values, scratch=scratch)
    for n in range(len(values)):
        pull(first + n, padded[n], lost.get(n, none), out[n])
        if order == 3 and values[n].min() >= 0:
            np.maximum(out[n], 0, out=out[n])


def fill_nearest(frame: Array, gaps: Array) -> None:
    """Fill gaps in place with the nearest value; with 0 where there is none."""
    if not gaps.any():
        return
    if gaps.all():
        frame[...] = 0
        return
    nearest = ndimage.distance_transform_edt(gaps, return_distances=False, return_indices=True)
    frame[gaps] = frame[tuple(nearest[:, gaps])]


def _choose_pull(linear: Array) -> Callable[..., None]:
    if linear.shape[1] == 3:
        return _pull_volume
    return _slide_plane if (linear == np.eye(2)).all() else _pull_plane


@compiled
def _slide_plane(
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
def _pull_plane(
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
def _pull_volume(
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
