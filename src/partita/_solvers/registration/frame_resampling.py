"""Frames seen from another place: one interpolation of the original samples."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..compute.scratch import Scratch
from ..compute.threads import Crew, single_blas
from ..compute.types import Array
from .pullback import HALF, pull, slide
from .splines import coefficients, pad

ORDERS = {"nearest": 0, "linear": 1, "cubic": 3}
_BLOCK_BYTES = 1 << 21  # of frames a block: with their coefficients they stay in a core's cache

_ADDED = 8  # frames resampled at a time for a sum, so that few are held


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
    if frames.ndim == 3 and (linear == np.eye(2)).all():
        move = partial(_slide, offset, order, nan_outside)
    else:
        move = partial(_pull, linear, offset, order, nan_outside)
    return pull_all(frames, move, order=order, crew=crew)


def pull_all(
    frames: Array, pull: Callable[[slice, Array, Array, Array], None], *, order: int, crew: Crew
) -> Array:
    """Return what `pull` sees of each frame, gaps filled on the way and signs kept.

    It is called with the numbers of some frames, their values or (`order` 3) coefficients, padded,
    where their gaps are (of size 0 if they have none), and what to fill.
    """
    result, scratch = np.empty(frames.shape, frames.dtype), Scratch()

    def work(block: slice) -> None:
        _pull_block(frames[block], block, pull, order, scratch, result[block])

    with single_blas():
        crew.map(work, cut_frames(len(frames), frames[:1].nbytes))
    return result


def add_up(
    frames: Array, chosen: NDArray[np.intp], linear: Array, offset: Array, *, crew: Crew
) -> tuple[Array, Array]:
    """Return the sum of the chosen frames under their motions, and how many see each voxel.

    `linear` (k, d, d) and `offset` (k, d) are theirs alone.
    """
    dtype = np.result_type(frames.dtype, np.float32)
    total, count = np.zeros(frames.shape[1:]), np.zeros(frames.shape[1:], np.int64)

    def add(part: slice) -> tuple[Array, Array]:
        values = frames[chosen[part]].astype(dtype)
        seen = resample(values, linear[part], offset[part], order=3, nan_outside=True, crew=crew)
        known = np.isfinite(seen)
        return np.where(known, seen, 0).sum(axis=0), known.sum(axis=0)

    parts = [slice(first, first + _ADDED) for first in range(0, len(chosen), _ADDED)]
    for first in range(0, len(parts), crew.threads):  # few at a time: sums are as long as frames
        for values, known in crew.map(add, parts[first : first + crew.threads]):
            total += values
            count += known
    return total, count


def divide(total: Array, count: Array) -> Array:
    """Return the mean of what was added up; NaN where nothing was."""
    return np.where(count, total / np.maximum(count, 1), np.nan)


def cut_frames(count: int, frame_bytes: int) -> list[slice]:
    """Cut frames into blocks that stay in cache; the same whatever the number of threads."""
    step = max(1, _BLOCK_BYTES // max(1, frame_bytes))
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def leaves_field(shape: tuple[int, ...], linear: Array, offset: Array) -> Array:
    """Return which voxels of the template lie beyond the field in any frame, (*shape)."""
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
    numbers: slice,
    pull: Callable[[slice, Array, Array, Array], None],
    order: int,
    scratch: Scratch,
    out: Array,
) -> None:
    values = np.ascontiguousarray(frames)
    flat = values.reshape(len(values), -1)
    whole = np.isfinite(flat.min(axis=1)) & np.isfinite(flat.max(axis=1))
    gaps = np.empty(0, dtype=bool)
    if not whole.all():
        values, gaps = values.copy(), ~np.isfinite(values)
        for n in np.flatnonzero(~whole):
            fill_nearest(values[n], gaps[n])
    padded = coefficients(values, take=scratch.take) if order == 3 else pad(values)
    pull(numbers, padded, gaps, out)
    if order == 3:
        for n in np.flatnonzero(values.reshape(len(values), -1).min(axis=1) >= 0):
            np.maximum(out[n], 0, out=out[n])


def _pull(
    linear: Array,
    offset: Array,
    order: int,
    nan_outside: bool,
    numbers: slice,
    padded: Array,
    gaps: Array,
    out: Array,
) -> None:
    beyond = HALF if nan_outside else np.inf
    bounds = np.full(out.ndim - 1, -beyond), np.array(out.shape[1:]) - 1 + beyond
    places = linear[numbers], offset[numbers]
    pull(padded, *places, order=order, bounds=bounds, gaps=gaps, fill=np.nan, out=out)


def _slide(
    offset: Array,
    order: int,
    nan_outside: bool,
    numbers: slice,
    padded: Array,
    gaps: Array,
    out: Array,
) -> None:
    for n, move in enumerate(offset[numbers]):
        slide(padded[n], move[0], move[1], order, out[n])
        places = [np.arange(size) + step for size, step in zip(out.shape[1:], move, strict=True)]
        held = [np.clip(at, 0, size - 1) for at, size in zip(places, out.shape[1:], strict=True)]
        if gaps.size:
            nearest = np.ix_(*[(at + 0.5).astype(int) for at in held])
            out[n][gaps[n][nearest]] = np.nan
        if nan_outside:
            rows, columns = (np.abs(p - h) > HALF for p, h in zip(places, held, strict=True))
            out[n][rows] = out[n][:, columns] = np.nan


def fill_nearest(frame: Array, gaps: Array) -> None:
    """Fill gaps in place with the nearest value; with 0 where there is none."""
    if not gaps.any():
        return
    if gaps.all():
        frame[...] = 0
        return
    nearest = ndimage.distance_transform_edt(gaps, return_distances=False, return_indices=True)
    frame[gaps] = frame[tuple(nearest[:, gaps])]
