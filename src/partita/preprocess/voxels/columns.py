"""Work on the time course of every voxel: in memory, in blocks, or in windows of a lazy array.

The work itself is a function of float64 columns, (time, voxels) to (time, voxels). It sees an
array of any number of dimensions a few thousand values at a time, so that double precision costs
no second copy of a recording.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from partita._labels import checks
from partita._labels.layout import Layout
from partita._solvers.compute.threads import Crew, single_blas
from partita.preprocess.voxels.cutting import BLOCK, as_cube
from partita.preprocess.voxels.gaps import Gaps, find_gaps, places_of, refuse_isolated

Work = Callable[[np.ndarray], np.ndarray]


class Window(NamedTuple):
    """A stretch of time that one piece of the result comes from.

    Attributes
    ----------
    start, stop : int
        The samples read.
    length : int
        How many samples come out.
    work : callable
        Takes columns (stop - start, voxels) to (length, voxels).
    """

    start: int
    stop: int
    length: int
    work: Work


def transform(
    recording: xr.DataArray, windows: list[Window], *, sample_dim: str, caller: str
) -> Any:
    """Return the values that the windows make of a recording, one after another.

    In memory the windows are worked on at once. A lazy recording gives a lazy result, a block a
    window; NaN in it are refused when a block is computed.

    Raises
    ------
    ValueError
        If voxels lack some of their values.
    """
    axis, values = recording.get_axis_num(sample_dim), recording.data
    inside = _inside(recording, sample_dim=sample_dim, caller=caller)
    if recording.chunks is None:
        done = [inside(_window(values, window, axis), window=window) for window in windows]
        return done[0] if len(done) == 1 else np.concatenate(done, axis=axis)
    import dask.array as da

    lazy = [_lazily(_window(values, window, axis), window, inside, axis) for window in windows]
    return da.concatenate(lazy, axis=axis)


def transform_with_mean(
    recording: xr.DataArray, work: Work, *, cut: xr.DataArray, sample_dim: str, caller: str
) -> tuple[Any, Any]:
    """Return the values that work on whole courses makes of a recording, and its mean (*features).

    Both are lazy where the recording is. The mean is then a sum over the chunks of `cut`, the same
    recording before it was put together along time: alone it holds none of them, and with the
    values it reads nothing twice.
    """
    axis, count = recording.get_axis_num(sample_dim), recording.sizes[sample_dim]
    window = Window(0, count, count, work)
    values = recording.data
    if recording.chunks is None:
        inside = _inside(recording, sample_dim=sample_dim, caller=caller)
        mean = np.empty(values.shape[:axis] + values.shape[axis + 1 :])
        return inside(values, window=window, mean=mean), mean
    made = transform(recording, [window], sample_dim=sample_dim, caller=caller)
    mean = cut.data.mean(axis=axis, dtype=np.float64)
    return made, mean.rechunk(made.chunks[:axis] + made.chunks[axis + 1 :])


def _inside(recording: xr.DataArray, *, sample_dim: str, caller: str) -> Callable[..., np.ndarray]:
    """Return what works on a block of a recording, or on all of it."""
    axis, dtype = recording.get_axis_num(sample_dim), checks.promote(recording.dtype)
    places = places_of(recording, sample_dim=sample_dim)
    return partial(_of_block, places=places, axis=axis, dtype=dtype, caller=caller)


def map_columns(
    values: np.ndarray,
    work: Work,
    *,
    axis: int,
    dtype: np.dtype[Any],
    length: int | None = None,
    threads: int | None = None,
    mean: np.ndarray | None = None,
) -> tuple[np.ndarray, Gaps | None]:
    """Work on the columns of an array along `axis`; return the result and what was missing.

    Parameters
    ----------
    values : numpy.ndarray
        Any number of dimensions.
    work : callable
        Takes float64 columns (time, voxels), its own to change, to (length, voxels).
    axis : int
        The axis of time.
    dtype : numpy.dtype
        Of the result.
    length : int, optional
        How many samples come out; as many as go in by default.
    threads : int, optional
        How many blocks are worked on at a time; as many as the process may use by default.
    mean : numpy.ndarray, (*features), optional
        Where the mean of the columns is written to.
    """
    length = values.shape[axis] if length is None else length
    cube = as_cube(values, axis)
    result = np.empty((cube.shape[0], length, cube.shape[2]), dtype)
    means = None if mean is None else mean.reshape(cube.shape[0], cube.shape[2])

    def one(block: tuple[slice, slice]) -> Gaps | None:
        before, after = block
        part = cube[before, :, after]
        shape = (part.shape[0], part.shape[2])
        columns = np.array(part.transpose(1, 0, 2), np.float64).reshape(part.shape[1], -1)
        with np.errstate(invalid="ignore", over="ignore"):
            total = columns.sum(axis=0)
        gaps = None if np.isfinite(total).all() else find_gaps(columns)
        if means is not None:
            means[before, after] = total.reshape(shape) / part.shape[1]
        with np.errstate(invalid="ignore"):
            made = work(columns)
        result[before, :, after] = made.reshape(length, *shape).transpose(1, 0, 2)
        return gaps

    blocks = _cut(cube.shape)
    if threads == 1:
        found = [one(block) for block in blocks]
    else:
        with single_blas(), Crew(threads) as crew:
            found = crew.map(one, blocks)
    features = values.shape[:axis] + values.shape[axis + 1 :]
    shape = (*values.shape[:axis], length, *values.shape[axis + 1 :])
    return result.reshape(shape), _assemble(found, blocks, cube.shape, features)


def _of_block(
    values: np.ndarray,
    *,
    window: Window,
    places: Layout,
    axis: int,
    dtype: np.dtype[Any],
    caller: str,
    corner: tuple[int, ...] | None = None,
    threads: int | None = None,
    mean: np.ndarray | None = None,
) -> np.ndarray:
    made, found = map_columns(
        values, window.work, axis=axis, dtype=dtype, length=window.length, threads=threads,
        mean=mean,
    )  # fmt: skip
    origin = (window.start, *(corner or (0,) * (values.ndim - 1)))
    refuse_isolated(found, places, caller=caller, origin=origin)
    return made


def _lazily(values: Any, window: Window, inside: Callable[..., np.ndarray], axis: int) -> Any:
    values = values.rechunk({axis: -1})

    def block(part: np.ndarray, block_info: Any = None) -> np.ndarray:
        corner = [start for start, _ in block_info[0]["array-location"]]
        corner.pop(axis)
        return inside(part, window=window, corner=tuple(corner), threads=1)

    chunks = tuple((window.length,) if i == axis else c for i, c in enumerate(values.chunks))
    dtype = inside.keywords["dtype"]  # type: ignore[attr-defined]
    meta = np.empty((0,) * values.ndim, dtype=dtype)
    return values.map_blocks(block, chunks=chunks, dtype=dtype, meta=meta)


def _window(values: Any, window: Window, axis: int) -> Any:
    if (window.start, window.stop) == (0, values.shape[axis]):
        return values
    return values[(slice(None),) * axis + (slice(window.start, window.stop),)]


def _cut(shape: tuple[int, ...]) -> list[tuple[slice, slice]]:
    """Cut what lies before and after time so that whole columns make small blocks."""
    n_before, n_times, n_after = shape
    across = max(1, min(n_after, BLOCK // max(1, n_times)))
    along = max(1, BLOCK // max(1, n_times * across))
    return [
        (slice(i, i + along), slice(j, j + across))
        for i in range(0, n_before, along)
        for j in range(0, n_after, across)
    ]


def _assemble(
    found: list[Gaps | None],
    blocks: list[tuple[slice, slice]],
    shape: tuple[int, ...],
    features: tuple[int, ...],
) -> Gaps | None:
    if all(gaps is None for gaps in found):
        return None
    n_before, count, n_after = shape
    whole = [np.zeros((n_before, n_after), np.int64) for _ in range(3)]
    whole[2] += count
    for (before, after), gaps in zip(blocks, found, strict=True):
        if gaps is None:
            continue
        for target, part in zip(whole, gaps[1:], strict=True):
            here = target[before, after]
            here[...] = part.reshape(here.shape)
    return Gaps(count, *(part.reshape(features) for part in whole))
