"""Courses taken out of every voxel by least squares: the residual of a regression over time.

With an orthonormal basis Q of what is to go, the weights are QᵀX and the residual X − Q QᵀX. The
weights are a sum over time, so a lazy recording is read once for them, whatever its chunks, and
the residual is lazy again.
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
        Orthonormal columns of mean 0.
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
        work = partial(_residual, basis=basis, keep_mean=keep_mean)
        window = Window(0, n_times, n_times, work)
        return transform(recording, [window], sample_dim=sample_dim, caller=caller)
    return _take_out_lazily(
        recording, basis, keep_mean=keep_mean, sample_dim=sample_dim, caller=caller
    )


def _residual(columns: np.ndarray, *, basis: np.ndarray, keep_mean: bool) -> np.ndarray:
    # About the first sample, so that an offset costs no precision and a constant leaves 0.
    first = columns[0].copy()
    columns -= first
    columns -= basis @ (basis.T @ columns)
    if keep_mean:
        columns += first
    return columns


class _Part(NamedTuple):
    """What a stretch of time adds to the weights: (rank, *features), and what it lacks."""

    n_samples: int
    weights: np.ndarray
    gaps: Gaps | None


def _take_out_lazily(
    recording: xr.DataArray,
    basis: np.ndarray,
    *,
    keep_mean: bool,
    sample_dim: str,
    caller: str,
) -> Any:
    import dask.array as da

    values, axis = recording.data, recording.get_axis_num(sample_dim)
    first = np.take(values, 0, axis=axis).compute()
    parts = _weigh(values, basis, first, axis)
    weights, found = _assemble(parts, values, axis, rank=basis.shape[1])
    refuse_isolated(found, Stacker.of(recording, sample_dim=sample_dim), caller=caller)
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
        concatenate=True, dtype=dtype, meta=np.empty((0,) * values.ndim, dtype),
    )  # fmt: skip


def _residual_of_block(
    block: np.ndarray,
    basis: np.ndarray,
    weights: np.ndarray,
    first: np.ndarray,
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
    with np.errstate(invalid="ignore"):
        centred = np.subtract(moved, first, dtype=np.float64)
        weights = np.tensordot(basis.T, centred, axes=1)
    return _Part(len(moved), weights, gaps)


def _join(parts: list[_Part]) -> _Part:
    total = parts[0]
    for part in parts[1:]:
        sizes = (total.n_samples, part.n_samples)
        gaps = merge_gaps(total.gaps, part.gaps, sizes=sizes)
        total = _Part(sum(sizes), total.weights + part.weights, gaps)
    return total


def _assemble(parts: Any, values: Any, axis: int, *, rank: int) -> tuple[np.ndarray, Gaps | None]:
    chunks = values.chunks[:axis] + values.chunks[axis + 1 :]
    shape = tuple(sum(sizes) for sizes in chunks)
    weights = np.empty((rank, *shape))
    counts = [np.zeros(shape, np.int64) for _ in range(3)]
    n_times = values.shape[axis]
    counts[2] += n_times
    places = np.ndindex(*(len(sizes) for sizes in chunks))
    for at, part in zip(places, parts, strict=True):
        where = spans_of(chunks, at)
        weights[(slice(None), *where)] = part.weights
        for target, given in zip(counts, part.gaps[1:] if part.gaps else (), strict=False):
            target[where] = given
    none = all(part.gaps is None for part in parts)
    return weights, None if none else Gaps(n_times, *counts)
