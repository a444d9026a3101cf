"""Mean, spread and range of every voxel over time, in one pass and in small blocks.

Sums run in float64 whatever the data, and partial results are joined pairwise (Chan, Golub &
LeVeque 1983), so neither the blocks nor the chunks of a recording change the answer beyond
rounding.
"""

from __future__ import annotations

from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from partita.preprocess.voxels.cutting import (
    as_cube,
    frame_blocks,
    join_in_tree,
    spans_of,
    time_blocks,
)

# A range of this many roundings of the largest value is noise of the arithmetic, no signal: values
# that were scaled or averaged once or twice are off by a few.
_ROUNDINGS = 8


class Moments(NamedTuple):
    """Moments over time of every voxel; each array has the shape of one frame.

    Attributes
    ----------
    n_samples : int
        Time points seen.
    mean, deviation : numpy.ndarray, (*features), float64
        Mean, and the sum of squared deviations from it; NaN where any value is not finite.
    low, high : numpy.ndarray, (*features)
        Smallest and largest value, in the data type of the values.
    n_nan, n_bad : numpy.ndarray, (*features)
        How many values are NaN, and how many are NaN or infinite.
    first_bad : numpy.ndarray, (*features)
        Index in time of the first value that is not finite; `n_samples` where all are.
    """

    n_samples: int
    mean: np.ndarray
    deviation: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n_nan: np.ndarray
    n_bad: np.ndarray
    first_bad: np.ndarray

    def is_constant(self, dtype: np.dtype[Any]) -> np.ndarray:
        """Tell which voxels do not change, up to eight roundings of their largest value in `dtype`.

        Voxels that are NaN at all times are not among them.
        """
        low, high = self.low.astype(np.float64), self.high.astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            size = np.maximum(np.abs(low), np.abs(high))
            still: np.ndarray = high - low <= _ROUNDINGS * np.finfo(dtype).eps * size
        return still | (self.deviation / self.n_samples == 0)  # which may underflow


def over_time(values: np.ndarray, *, axis: int) -> Moments:
    """Take the moments of an array in memory over one axis."""
    shape = values.shape[:axis] + values.shape[axis + 1 :]
    cube = as_cube(values, axis)
    n_before, count, n_after = cube.shape
    found = _empty(count, (n_before, n_after), cube.dtype)
    for before, after in frame_blocks(cube.shape):
        parts = (_of_block(cube[before, time, after]) for time in time_blocks(cube.shape))
        joined = reduce(merge, parts)
        for target, part in zip(found[1:], joined[1:], strict=True):
            target[before, after] = part
    return Moments(count, *(part.reshape(shape) for part in found[1:]))


def over_chunks(values: Any, *, axis: int) -> Moments:
    """Take the moments of a dask array over one axis, reading every chunk once."""
    from dask import compute, delayed  # type: ignore[attr-defined]

    blocks = np.moveaxis(values.to_delayed(), axis, 0)
    places = list(np.ndindex(blocks.shape[1:]))
    partial, join = delayed(over_time, pure=True), delayed(_merge_all, pure=True)
    trees = [
        join_in_tree([partial(block, axis=axis) for block in blocks[:, *at]], join) for at in places
    ]
    chunks = values.chunks[:axis] + values.chunks[axis + 1 :]
    shape = values.shape[:axis] + values.shape[axis + 1 :]
    found = _empty(values.shape[axis], shape, values.dtype)
    parts = compute(*trees)
    for at, moments in zip(places, parts, strict=True):
        where = spans_of(chunks, at)
        for target, part in zip(found[1:], moments[1:], strict=True):
            target[where] = part
    return found


def merge(first: Moments, second: Moments) -> Moments:
    """Join the moments of two stretches of time, the first before the second."""
    count = first.n_samples + second.n_samples
    with np.errstate(invalid="ignore"):
        gap = second.mean - first.mean
        mean = first.mean + gap * (second.n_samples / count)
        deviation = first.deviation + second.deviation
        deviation += gap * gap * (first.n_samples * second.n_samples / count)
    later = first.first_bad == first.n_samples
    return Moments(
        count,
        mean,
        deviation,
        np.minimum(first.low, second.low),
        np.maximum(first.high, second.high),
        first.n_nan + second.n_nan,
        first.n_bad + second.n_bad,
        np.where(later, first.n_samples + second.first_bad, first.first_bad),
    )


def standardise(
    values: np.ndarray,
    mean: np.ndarray,
    sd: np.ndarray,
    *,
    axis: int,
    dtype: np.dtype[Any],
) -> np.ndarray:
    """Subtract the mean and divide by the sd, in float64 block by block.

    `mean` and `sd` have the dimensions of `values`, of length one along `axis`.
    """
    result = np.array(values, dtype=dtype, order="C")
    cube = as_cube(result, axis)
    mean, sd = as_cube(mean, axis), as_cube(sd, axis)
    for before, after in frame_blocks(cube.shape):
        centre, scale = mean[before, :, after], sd[before, :, after]
        for time in time_blocks(cube.shape):
            block = np.subtract(cube[before, time, after], centre, dtype=np.float64)
            np.divide(block, scale, out=cube[before, time, after], casting="same_kind")
    return result


def _of_block(values: np.ndarray) -> Moments:
    count = values.shape[1]
    low, high = values.min(axis=1), values.max(axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        mean = values.mean(axis=1, dtype=np.float64)
        residual = np.subtract(values, mean[:, None], dtype=np.float64)
        deviation = np.einsum("bta,bta->ba", residual, residual)
    if np.isfinite(low).all() and np.isfinite(high).all():
        none = np.broadcast_to(np.int32(0), mean.shape)
        return Moments(count, mean, deviation, low, high, none, none, none + count)
    bad = ~np.isfinite(values)
    first = np.where(bad.any(axis=1), bad.argmax(axis=1), count)
    return Moments(
        count, mean, deviation, low, high, np.isnan(values).sum(axis=1), bad.sum(axis=1), first
    )


def _merge_all(parts: list[Moments]) -> Moments:
    return reduce(merge, parts)


def _empty(count: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Moments:
    kinds = (np.float64, np.float64, dtype, dtype, np.int32, np.int32, np.int32)
    return Moments(count, *(np.empty(shape, dtype=kind) for kind in kinds))
