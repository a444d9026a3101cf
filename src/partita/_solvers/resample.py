"""Frames seen from another place: one interpolation of the original samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import ndimage

from .jit import compiled
from .splines import PAD, blend, coefficients, narrow, pad, tap_weights
from .threads import Crew

Array = np.ndarray[Any, Any]

ORDERS = {"nearest": 0, "linear": 1, "cubic": 3}

_HALF = 0.5 + 1e-6  # voxels: a voxel ends half a spacing beyond its centre
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
    result = np.empty(frames.shape, frames.dtype)
    pull = _pull_plane if frames.ndim == 3 else _pull_volume

    def work(block: slice) -> None:
        _resample_block(
            frames[block], linear[block], offset[block], order, nan_outside, pull, result[block]
        )

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
            outside |= (place < -_HALF) | (place > size - 1 + _HALF)
    return outside


def _resample_block(
    frames: Array,
    linear: Array,
    offset: Array,
    order: int,
    nan_outside: bool,
    pull: Callable[..., None],
    out: Array,
) -> None:
    values = np.ascontiguousarray(frames)
    none = np.zeros((0,) * (values.ndim - 1), dtype=bool)
    flat = values.reshape(len(values), -1)
    with np.errstate(invalid="ignore", over="ignore"):
        whole = np.isfinite(flat.sum(axis=1, dtype=np.float64))
    lost = {int(n): ~np.isfinite(values[n]) for n in np.flatnonzero(~whole)}
    if lost:
        values = values.copy()
    for n, gaps in lost.items():
        fill_nearest(values[n], gaps)
    padded = coefficients(values) if order == 3 else pad(values)
    for n in range(len(values)):
        pull(padded[n], linear[n], offset[n], order, nan_outside, lost.get(n, none), out[n])
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
            beyond = min(y, x) < -_HALF or y > ny - 1 + _HALF or x > nx - 1 + _HALF
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
                beyond = min(z, y, x) < -_HALF or z > nz - 1 + _HALF
                beyond = beyond or y > ny - 1 + _HALF or x > nx - 1 + _HALF
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
