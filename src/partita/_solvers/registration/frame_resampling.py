"""Frames seen from another place: one interpolation of the original samples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from ..compute.scratch import Scratch
from ..compute.threads import Crew
from ..compute.types import Array
from .pullback import HALF, pull_plane, pull_volume, slide_plane
from .splines import coefficients, pad

ORDERS = {"nearest": 0, "linear": 1, "cubic": 3}
_BLOCK_BYTES = 1 << 21  # of frames a block: with their coefficients they stay in a core's cache


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

    crew.map(work, cut_frames(len(frames), frames[:1].nbytes))
    return result


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
        return pull_volume
    return slide_plane if (linear == np.eye(2)).all() else pull_plane
