"""Courses taken out of every voxel by least squares: the residual of a regression over time.

With an orthonormal basis Q of what is to go, the weights are QᵀX and the residual X − Q QᵀX. The
weights are a sum over time, so a lazy recording is read once for them, whatever its chunks, and
the residual is lazy again.

What a regression removes entirely leaves rounding behind, which a later division by its standard
deviation would blow up to a signal. Whether a residual is no more is told by the size of what it
was taken out of, so it is told here: such a voxel is left with nothing.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from partita._labels import checks
from partita._labels.attrs import as_fluctuation
from partita._labels.background import leave_background
from partita.preprocess.voxels.columns import transform_with_mean
from partita.preprocess.voxels.gaps import Gaps, find_gaps, places_of, refuse_isolated

# A residual of this many roundings of a voxel's largest value is nothing, as in `Moments`.
_ROUNDINGS = 8
# Where a sum of squares says that so little is left, it is looked at again: the difference of two
# sums tells no less.
_DOUBTFUL = 1e-10


def orthonormal(courses: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of courses about their means, (time, rank), float64.

    Each is centred and brought to unit length first, so that neither its unit nor its offset
    decides; what is constant, or a combination of others, adds nothing.

    Parameters
    ----------
    courses : numpy.ndarray, (time, n_courses)
        Finite values.
    """
    courses = np.asarray(courses, np.float64)
    size = np.abs(courses).max(axis=0, initial=0)
    scaled = courses / np.where(size > 0, size, 1)
    centred = scaled - scaled.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    rounding = np.finfo(np.float64).eps * len(courses)
    varies = length > rounding
    if not varies.any():
        return np.empty((len(courses), 0))
    left, strength, _ = np.linalg.svd(centred[:, varies] / length[varies], full_matrices=False)
    # Of a course with an offset far larger than its changes, rounding is a larger share.
    least = rounding * strength[0] * max(1.0, float((np.sqrt(len(courses)) / length[varies]).max()))
    kept: np.ndarray = left[:, strength > least]
    return kept


def take_out(
    recording: xr.DataArray,
    basis: np.ndarray,
    *,
    keep_mean: bool,
    sample_dim: str,
    caller: str,
) -> xr.DataArray:
    """Return a recording less its projection on a basis, and less its mean, left as `background`.

    Parameters
    ----------
    recording : xarray.DataArray, (time, *features) in any order
        What to work on.
    basis : numpy.ndarray, (time, rank)
        Orthonormal columns of mean 0. A voxel that they explain up to the rounding of its largest
        value becomes 0, or its mean.
    keep_mean : bool
        Whether every voxel keeps its mean over time.
    sample_dim, caller : str
        The dimension of samples, and who asks.

    Raises
    ------
    ValueError
        If voxels lack some of their values, not all.
    """
    n_times = recording.sizes[sample_dim]
    if not keep_mean:
        basis = np.column_stack([np.full(n_times, n_times**-0.5), basis])
    how: dict[str, Any] = {"keep_mean": keep_mean, "sample_dim": sample_dim, "caller": caller}
    take = _take_out if recording.chunks is None else _take_out_lazily
    values, mean = take(recording, basis, **how)
    result = recording.copy(deep=False, data=values)
    if keep_mean:
        return result
    return leave_background(as_fluctuation(result), mean, of=recording, sample_dim=sample_dim)


def _take_out(
    recording: xr.DataArray, basis: np.ndarray, *, keep_mean: bool, sample_dim: str, caller: str
) -> tuple[np.ndarray, np.ndarray]:
    dtype = checks.promote(recording.dtype)
    work = partial(residual, basis=basis, keep_mean=keep_mean, dtype=dtype)
    return transform_with_mean(recording, work, cut=recording, sample_dim=sample_dim, caller=caller)


def residual(
    columns: np.ndarray, *, basis: np.ndarray, keep_mean: bool, dtype: np.dtype[Any]
) -> np.ndarray:
    """Return columns (time, voxels), float64 and changed in place, less their projection.

    `dtype` is that of the recording, which says what of them is rounding.
    """
    # About the first sample, so that an offset costs no precision and a constant leaves 0.
    first, size = columns[0].copy(), np.abs(columns).max(axis=0)
    columns -= first
    mean = columns.mean(axis=0) if keep_mean else np.zeros(columns.shape[1])
    columns -= basis @ (basis.T @ columns)
    nothing = np.abs(columns - mean).max(axis=0) <= _rounding(len(columns), dtype) * size
    columns[:, nothing] = mean[nothing]
    if keep_mean:
        columns += first
    return columns


def _rounding(n_times: int, dtype: np.dtype[Any]) -> float:
    """Return the share of a voxel's largest value that its residual is uncertain by."""
    # Sums over time run in float64.
    return float(max(_ROUNDINGS * np.finfo(dtype).eps, n_times * np.finfo(np.float64).eps))


class _Sums(NamedTuple):
    """What a voxel holds about its first sample, summed over time.

    `weights` (rank, *features) are its products with the basis, `total` and `energy` sums of the
    values and of their squares; `size` is the largest magnitude as it is.
    """

    weights: np.ndarray
    total: np.ndarray
    energy: np.ndarray
    size: np.ndarray


def _take_out_lazily(
    recording: xr.DataArray, basis: np.ndarray, *, keep_mean: bool, sample_dim: str, caller: str
) -> tuple[Any, np.ndarray]:
    """Return the residual, and the mean of what it is the residual of."""
    values, axis, n_times = recording.data, recording.get_axis_num(sample_dim), len(basis)
    first = np.take(values, 0, axis=axis).compute()
    sums, found = _sum_over_time(values, basis, first, axis)
    refuse_isolated(found, places_of(recording, sample_dim=sample_dim), caller=caller)
    work = partial(
        _residual_lazily, values, basis, sums.weights, first, axis=axis, keep_mean=keep_mean
    )
    mean = first + sums.total / n_times
    level = mean if keep_mean else np.zeros(first.shape)
    nothing = _is_doubtful(sums, n_times, keep_mean=keep_mean)
    if nothing.any():
        left = abs(work(np.full(first.shape, np.nan)) - np.expand_dims(level, axis)).max(axis=axis)
        reach = _rounding(n_times, checks.promote(values.dtype)) * sums.size
        nothing &= left.compute() <= reach
    return work(np.where(nothing, level, np.nan)), mean


def _is_doubtful(sums: _Sums, n_times: int, *, keep_mean: bool) -> np.ndarray:
    """Tell which voxels the basis explains so well that the sums cannot tell what is left."""
    with np.errstate(invalid="ignore", over="ignore"):
        left = sums.energy - (sums.weights**2).sum(axis=0)
        if keep_mean:
            left -= sums.total**2 / n_times
        doubtful: np.ndarray = left <= _DOUBTFUL * n_times * sums.size**2
    return doubtful & (sums.energy > 0)


def _residual_lazily(
    values: Any,
    basis: np.ndarray,
    weights: np.ndarray,
    first: np.ndarray,
    level: np.ndarray,
    *,
    axis: int,
    keep_mean: bool,
) -> Any:
    """Return the residual in the chunks of the values, and where there is a `level`, that."""
    import dask.array as da

    features = tuple(i for i in range(values.ndim) if i != axis)
    spatial = tuple(values.chunks[i] for i in features)
    dtype = checks.promote(values.dtype)
    rank = values.ndim  # the index of the dimension that is summed over
    return da.blockwise(
        partial(_residual_of_block, axis=axis, keep_mean=keep_mean, dtype=dtype),
        tuple(range(values.ndim)),
        values, tuple(range(values.ndim)),
        da.from_array(basis, chunks=(values.chunks[axis], -1)), (axis, rank),
        da.from_array(weights, chunks=(-1, *spatial)), (rank, *features),
        da.from_array(first, chunks=spatial), features,
        da.from_array(level, chunks=spatial), features,
        concatenate=True, dtype=dtype, meta=np.empty((0,) * values.ndim, dtype),
    )  # fmt: skip


def _residual_of_block(
    block: np.ndarray,
    basis: np.ndarray,
    weights: np.ndarray,
    first: np.ndarray,
    level: np.ndarray,
    *,
    axis: int,
    keep_mean: bool,
    dtype: np.dtype[Any],
) -> np.ndarray:
    moved = np.moveaxis(block, axis, 0)
    with np.errstate(invalid="ignore"):
        result = np.subtract(moved, first, dtype=np.float64)
        result -= np.tensordot(basis, weights, axes=1)
    if keep_mean:
        result += first
    np.copyto(result, level, where=~np.isnan(level))
    return np.moveaxis(result.astype(dtype), 0, axis)


def _sum_over_time(
    values: Any, basis: np.ndarray, first: np.ndarray, axis: int
) -> tuple[_Sums, Gaps]:
    """Return the sums of a lazy array and what it lacks, in one reading of all chunks."""
    import dask.array as da
    from dask import compute  # type: ignore[attr-defined]

    n_times, rank = basis.shape
    cut = values.chunks[axis]
    features = tuple(i for i in range(values.ndim) if i != axis)
    # Indices of dimensions: of what is summed, and of the basis.
    kind, column = values.ndim, values.ndim + 1
    stretches = da.blockwise(
        partial(_sums_of_block, axis=axis, n_times=n_times), (axis, kind, *features),
        values, tuple(range(values.ndim)),
        da.from_array(basis, chunks=(cut, -1)), (axis, column),
        da.from_array(np.arange(n_times), chunks=(cut,)), (axis,),
        da.from_array(first, chunks=tuple(values.chunks[i] for i in features)), features,
        new_axes={kind: rank + 6}, adjust_chunks={axis: lambda _: 1},
        concatenate=True, dtype=np.float64, meta=np.empty((0,) * (values.ndim + 1)),
    )  # fmt: skip
    sums, most = compute(stretches[:, : rank + 4].sum(axis=0), stretches[:, rank + 4 :].max(axis=0))
    total, energy, n_nan, n_bad = sums[rank:]
    size, earliest = most
    counts = (array.astype(np.int64) for array in (n_nan, n_bad, -earliest))
    return _Sums(sums[:rank], total, energy, size), Gaps(n_times, *counts)


def _sums_of_block(
    block: np.ndarray,
    basis: np.ndarray,
    times: np.ndarray,
    first: np.ndarray,
    *,
    axis: int,
    n_times: int,
) -> np.ndarray:
    """Return sums of a stretch and, negative, when the first bad value comes: (1, n, *features)."""
    moved = np.moveaxis(block, axis, 0)
    gaps = find_gaps(moved)
    with np.errstate(invalid="ignore", over="ignore"):
        centred = np.subtract(moved, first, dtype=np.float64)
        sums = [centred.sum(axis=0), np.einsum("t...,t...->...", centred, centred)]
        weights = np.tensordot(basis.T, centred, axes=1)
    size = np.maximum(np.abs(moved.max(axis=0)), np.abs(moved.min(axis=0).astype(np.float64)))
    n_nan, n_bad, earliest = (0, 0, n_times) if gaps is None else gaps[1:]
    if gaps is not None:
        earliest = np.where(n_bad > 0, times[0] + earliest, n_times)
    stack = np.empty((1, len(weights) + 6, *first.shape))
    for i, row in enumerate((*weights, *sums, n_nan, n_bad, size, -earliest)):
        stack[0, i] = row
    # What lacks a value is refused, or NaN whatever its sums.
    return stack if gaps is None else np.nan_to_num(stack, copy=False, posinf=0, neginf=0)
