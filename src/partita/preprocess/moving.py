"""A recording laid out on its grid, seen at the places of the reference: now, or lazily."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from partita._labels import checks
from partita._solvers.resample import leaves_field, resample
from partita._solvers.threads import Crew
from partita.preprocess.grids import Grid


def undo(
    laid: xr.DataArray, affine: np.ndarray, grid: Grid, *, order: int, fill: str
) -> xr.DataArray:
    """Return a recording (time, plane, *axes) with the motion taken out.

    Parameters
    ----------
    laid : xarray.DataArray, (time, plane, *axes)
        In memory, or lazy: then each block of time is moved when it is asked for.
    affine : numpy.ndarray, (time, plane, d + 1, d + 1)
        Reference to frame coordinates.
    grid : Grid
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
    dtype = checks.promote(laid.dtype)
    move = partial(_move, outside=outside, order=order, nan_outside=fill == "nan", dtype=dtype)
    if laid.chunks is None:
        return laid.copy(data=move(laid.values, linear, offset))
    return laid.copy(data=_undo_lazily(laid.data, linear, offset, move, dtype))


def _undo_lazily(
    values: Any, linear: np.ndarray, offset: np.ndarray, move: Any, dtype: np.dtype[Any]
) -> Any:
    import dask.array as da

    whole = values.rechunk(dict.fromkeys(range(1, values.ndim), -1))
    times = whole.chunks[0]
    axes = "zyx"[-(values.ndim - 2) :]
    return da.blockwise(
        move,
        f"tp{axes}",
        whole,
        f"tp{axes}",
        da.from_array(linear, chunks=(times, -1, -1, -1)),
        "tpab",
        da.from_array(offset, chunks=(times, -1, -1)),
        "tpa",
        concatenate=True,
        dtype=dtype,
        meta=np.empty((0,) * values.ndim, dtype=dtype),
    )


def _move(
    values: np.ndarray,
    linear: np.ndarray,
    offset: np.ndarray,
    *,
    outside: np.ndarray | None,
    order: int,
    nan_outside: bool,
    dtype: np.dtype[Any],
) -> np.ndarray:
    result = np.empty(values.shape, dtype)
    with Crew() as crew:
        for k in range(values.shape[1]):
            frames = np.asarray(values[:, k], dtype=dtype)
            result[:, k] = resample(
                frames, linear[:, k], offset[:, k], order=order, nan_outside=nan_outside, crew=crew
            )
    if outside is not None:
        result[:, outside] = np.nan
    return result


def _in_voxels(affine: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Return affines between coordinates as ``linear @ voxel + offset`` between voxels."""
    d = len(grid.axes)
    turn, move = affine[..., :d, :d], affine[..., :d, d]
    linear = turn * grid.spacing / grid.spacing[:, None]
    offset = (turn @ grid.first + move - grid.first) / grid.spacing
    return linear, offset
