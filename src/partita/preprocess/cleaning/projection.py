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
from partita._labels.stack import Stacker
from partita.preprocess.voxels.columns import Window, transform
from partita.preprocess.voxels.cutting import join_in_tree, spans_of
from partita.preprocess.voxels.gaps import Gaps, find_gaps, merge_gaps, refuse_isolated

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
) -> Any:
    """Return the values of a recording less their projection on a basis, and less their mean.

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
    if recording.chunks is None:
        dtype = checks.promote(recording.dtype)
        work = partial(residual, basis=basis, keep_mean=keep_mean, dtype=dtype)
        window = Window(0, n_times, n_times, work)
        return transform(recording, [window], sample_dim=sample_dim, caller=caller)
    return _take_out_lazily(
        recording, basis, keep_mean=keep_mean, sample_dim=sample_dim, caller=caller
    )


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


class _Part(NamedTuple):
    """What a stretch of time adds to the weights: (rank, *features), and what it lacks.

    `total` and `energy` are sums of the values and their squares, about the first sample of all;
    `size` is the largest magnitude.
    """

    n_samples: int
    weights: np.ndarray
    total: np.ndarray
    energy: np.ndarray
    size: np.ndarray
    gaps: Gaps | None


def _take_out_lazily(
    recording: xr.DataArray,
    basis: np.ndarray,
    *,
    keep_mean: bool,
    sample_dim: str,
    caller: str,
) -> Any:

    values, axis = recording.data, recording.get_axis_num(sample_dim)
    first = np.take(values, 0, axis=axis).compute()
    sums, found = _assemble(_weigh(values, basis, first, axis), values, axis, rank=basis.shape[1])
    refuse_isolated(found, Stacker.of(recording, sample_dim=sample_dim), caller=caller)
    work = partial(
        _residual_lazily, values, basis, sums.weights, first, axis=axis, keep_mean=keep_mean
    )
    mean = first + sums.total / sums.n_samples if keep_mean else np.zeros(first.shape)
    nothing = _is_doubtful(sums, keep_mean=keep_mean)
    if nothing.any():
        left = abs(work(np.full(first.shape, np.nan)) - np.expand_dims(mean, axis)).max(axis=axis)
        reach = _rounding(sums.n_samples, checks.promote(values.dtype)) * sums.size
        nothing &= left.compute() <= reach
    return work(np.where(nothing, mean, np.nan))


def _is_doubtful(sums: _Part, *, keep_mean: bool) -> np.ndarray:
    """Tell which voxels the basis explains so well that the sums cannot tell what is left."""
    with np.errstate(invalid="ignore", over="ignore"):
        left = sums.energy - (sums.weights**2).sum(axis=0)
        if keep_mean:
            left -= sums.total**2 / sums.n_samples
        doubtful: np.ndarray = left <= _DOUBTFUL * sums.n_samples * sums.size**2
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


def _weigh(values: Any, basis: np.ndarray, first: np.ndarray, axis: int) -> list[list[_Part]]:
    """Return for every place among the chunks of space its part, in one reading of all chunks."""
    from dask import compute, delayed  # type: ignore[attr-defined]

    blocks = np.moveaxis(values.to_delayed(), axis, 0)
    ends = np.cumsum(values.chunks[axis])
    rows = [basis[end - size : end] for end, size in zip(ends, values.chunks[axis], strict=True)]
    weigh, join = delayed(_part_of_block, pure=True), delayed(_join, pure=True)
    trees = []
    for at in np.ndindex(blocks.shape[1:]):
        where = spans_of(values.chunks[:axis] + values.chunks[axis + 1 :], at)
        column = blocks[(slice(None), *at)]
        parts = [weigh(b, r, first[where], axis) for b, r in zip(column, rows, strict=True)]
        trees.append(join_in_tree(parts, join))
    return list(compute(*trees))


def _part_of_block(block: np.ndarray, basis: np.ndarray, first: np.ndarray, axis: int) -> _Part:
    moved = np.moveaxis(block, axis, 0)
    gaps = find_gaps(moved)
    with np.errstate(invalid="ignore", over="ignore"):
        centred = np.subtract(moved, first, dtype=np.float64)
        weights = np.tensordot(basis.T, centred, axes=1)
        energy = np.einsum("t...,t...->...", centred, centred)
    size = np.maximum(np.abs(moved.max(axis=0)), np.abs(moved.min(axis=0).astype(np.float64)))
    return _Part(len(moved), weights, centred.sum(axis=0), energy, size, gaps)


def _join(parts: list[_Part]) -> _Part:
    total = parts[0]
    for part in parts[1:]:
        sizes = (total.n_samples, part.n_samples)
        total = _Part(
            sum(sizes),
            total.weights + part.weights,
            total.total + part.total,
            total.energy + part.energy,
            np.maximum(total.size, part.size),
            merge_gaps(total.gaps, part.gaps, sizes=sizes),
        )
    return total


def _assemble(parts: Any, values: Any, axis: int, *, rank: int) -> tuple[_Part, Gaps | None]:
    chunks = values.chunks[:axis] + values.chunks[axis + 1 :]
    shape = tuple(sum(sizes) for sizes in chunks)
    n_times = values.shape[axis]
    weights = np.empty((rank, *shape))
    total, energy, size = np.empty((3, *shape))
    sums = _Part(n_times, weights, total, energy, size, None)
    counts = [np.zeros(shape, np.int64) for _ in range(3)]
    counts[2] += n_times
    places = np.ndindex(*(len(sizes) for sizes in chunks))
    for at, part in zip(places, parts, strict=True):
        where = spans_of(chunks, at)
        weights[(slice(None), *where)] = part.weights
        total[where], energy[where], size[where] = part.total, part.energy, part.size
        for target, given in zip(counts, part.gaps[1:] if part.gaps else (), strict=False):
            target[where] = given
    none = all(part.gaps is None for part in parts)
    return sums, None if none else Gaps(n_times, *counts)
