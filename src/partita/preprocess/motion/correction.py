"""A recording laid out on its grid, seen at the places of the reference: now, or lazily."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from partita._labels import checks
from partita._solvers.compute.threads import Crew
from partita._solvers.registration.frame_resampling import leaves_field, resample
from partita._solvers.registration.warping import leaves_by_bending, unbend
from partita.preprocess.motion.voxel_grid import VoxelGrid


def undo(
    laid: xr.DataArray, affine: np.ndarray, grid: VoxelGrid, *, order: int, fill: str
) -> xr.DataArray:
    """Return a recording (time, plane, *axes) with the motion taken out.

    Parameters
    ----------
    laid : xarray.DataArray, (time, plane, *axes)
        In memory, or lazy: then each block of time is moved when it is asked for.
    affine : numpy.ndarray, (time, plane, d + 1, d + 1)
        Reference to frame coordinates.
    grid : VoxelGrid
        Where the voxels are.
    order : int
        3, 1 or 0.
    fill : str
        "nearest", "nan" or "outside".
    """
    linear, offset = _in_voxels(affine, grid)
    outside = None
    if fill == "outside":
        outside = np.stack(
            [leaves_field(grid.shape, linear[:, k], offset[:, k]) for k in range(laid.shape[1])]
        )
    return _pull(laid, (linear, offset), resample, outside=outside, order=order, fill=fill)


def straighten(
    laid: xr.DataArray,
    bend: np.ndarray,
    centres: tuple[np.ndarray, np.ndarray],
    *,
    order: int,
    fill: str,
) -> xr.DataArray:
    """Return a recording (time, plane, y, x) with a bending taken out, now or lazily.

    Parameters
    ----------
    laid : xarray.DataArray, (time, plane, y, x)
    bend : numpy.ndarray, (time, plane, 2, patches_y, patches_x)
        Displacement of the tissue at the centres of patches, in voxels.
    centres : tuple of numpy.ndarray, (patches_y,) and (patches_x,)
        In voxels, rising.
    order : int
        3, 1 or 0.
    fill : str
        "nearest", "nan" or "outside".
    """
    outside = None
    if fill == "outside":
        shape = (laid.shape[2], laid.shape[3])
        outside = np.stack(
            [leaves_by_bending(shape, bend[:, k], *centres) for k in range(laid.shape[1])]
        )
    pull = partial(_unbend, centres=centres)
    return _pull(laid, (bend,), pull, outside=outside, order=order, fill=fill)


def _unbend(
    frames: np.ndarray, bend: np.ndarray, *, centres: tuple[np.ndarray, np.ndarray], **options: Any
) -> np.ndarray:
    return unbend(frames, bend, *centres, **options)


def _pull(
    laid: xr.DataArray,
    motion: tuple[np.ndarray, ...],
    pull: Callable[..., np.ndarray],
    *,
    outside: np.ndarray | None,
    order: int,
    fill: str,
) -> xr.DataArray:
    """Pull back all planes, now or lazily."""
    dtype = checks.promote(laid.dtype)
    options = {"order": order, "nan_outside": fill == "nan"}
    move = partial(_move, pull=partial(pull, **options), outside=outside, dtype=dtype)
    if laid.chunks is None:
        return laid.copy(deep=False, data=move(laid.values, *motion))
    return laid.copy(deep=False, data=_undo_lazily(laid.data, motion, move, dtype))


def _undo_lazily(
    values: Any, motion: tuple[np.ndarray, ...], move: Any, dtype: np.dtype[Any]
) -> Any:
    """Move each block of time by the part of `motion` (arrays (time, plane, ...)) that is its."""
    import dask.array as da

    whole = values.rechunk(dict.fromkeys(range(1, values.ndim), -1))
    times = whole.chunks[0]
    axes = "zyx"[-(values.ndim - 2) :]
    pairs: list[Any] = []
    for array in motion:
        chunks = (times, *(-1,) * (array.ndim - 1))
        pairs += [da.from_array(array, chunks=chunks), "tpabc"[: array.ndim]]
    return da.blockwise(
        move,
        f"tp{axes}",
        whole,
        f"tp{axes}",
        *pairs,
        concatenate=True,
        dtype=dtype,
        meta=np.empty((0,) * values.ndim, dtype=dtype),
    )


def _move(
    values: np.ndarray,
    *motion: np.ndarray,
    pull: Callable[..., np.ndarray],
    outside: np.ndarray | None,
    dtype: np.dtype[Any],
) -> np.ndarray:
    result = np.empty(values.shape, dtype)
    with Crew() as crew:
        for k in range(values.shape[1]):
            frames = np.asarray(values[:, k], dtype=dtype)
            result[:, k] = pull(frames, *(array[:, k] for array in motion), crew=crew)
    if outside is not None:
        result[:, outside] = np.nan
    return result


def _in_voxels(affine: np.ndarray, grid: VoxelGrid) -> tuple[np.ndarray, np.ndarray]:
    """Return affines between coordinates as ``linear @ voxel + offset`` between voxels."""
    d = len(grid.axes)
    turn, move = affine[..., :d, :d], affine[..., :d, d]
    linear = turn * grid.spacing / grid.spacing[:, None]
    offset = (turn @ grid.first + move - grid.first) / grid.spacing
    return linear, offset
