"""Traces averaged over the bins of a time grid, and what is met on the way."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from ..compute.types import Array
from .design import BaselineDesign
from .time_grid import TimeGrid

# Samples worked on at a time: with the voxels of a tile a megabyte in float64. A quarter as many
# take 1.5 times as long, twice as many 0.95 times.
_STRETCH = 256


class BinnedTraces(NamedTuple):
    """Means of some voxels over short bins, and what else their baseline needs.

    Attributes
    ----------
    means : ndarray, (n_bins, n_voxels)
        Means over the bins; of no bins where a quantile needs none.
    noise : ndarray, (n_blocks, n_voxels)
        Variance of white noise in every block; of no blocks where a bin holds one sample.
    sums : ndarray of float64, (2, n_voxels)
        Sums of the values and of their squares.
    bad : ndarray of int64, (3, n_voxels)
        How many values are not finite, where the first is (-1: nowhere), how many are NaN.
    """

    means: Array
    noise: Array
    sums: Array
    bad: Array


def traces_of(cube: Array, first: int, last: int) -> Array:
    """Return voxels `first` to `last` of a cube (before, time, after) as (time, voxels).

    Voxel v lies at (v // after, v % after). A view where those asked for lie in one row.
    """
    n_after = cube.shape[2]
    if n_after == 1:
        return cube[first:last, :, 0].T
    row = first // n_after
    if (last - 1) // n_after == row:
        return cube[row, :, first - row * n_after : last - row * n_after]
    voxels = np.arange(first, last)
    return np.asarray(cube[voxels // n_after, :, voxels % n_after].T)


def bin_traces(
    cube: Array, design: BaselineDesign, *, first: int, last: int, dtype: np.dtype[np.floating]
) -> BinnedTraces:
    r"""Average voxels `first` to `last` of a cube (before, time, after) over the bins.

    .. math:: m_i = \langle x_t \rangle_{t \in i}, \quad
        \sigma_b^2 = \langle (x_t - 2 x_{t-1} + x_{t-2})^2 \rangle_{t \in b} / 6

    with the bins i and blocks b, in the units of the cube and their square. Sums are float64;
    means and noise are kept in `dtype`.
    """
    n_times, count, grid = cube.shape[1], last - first, design.grid
    edges = grid.bins[grid.blocks] if design.tells_noise else grid.bins[:1]
    means, rough = np.zeros((len(grid.counts), count)), np.zeros((len(edges) - 1, count))
    squares = np.zeros(count)
    bad = _none_bad(count)
    buffer = np.empty((_STRETCH + 2, count))
    for start in range(0, n_times, _STRETCH):
        stop = min(start + _STRETCH, n_times)
        # The two samples before take part in the first differences.
        ahead = max(start - 2, 0) if design.tells_noise else start
        values = buffer[: stop - ahead]
        values[:] = traces_of(cube[:, ahead:stop], first, last)
        own = values[start - ahead :]
        added = np.einsum("ij,ij->j", own, own)
        squares += added
        if not np.isfinite(added).all():
            _count_bad(own, bad, start)
        touched, total = _sums_over(grid, start, stop)
        means[touched] += total @ own
        if design.tells_noise:
            _add_differences(values, ahead, stop, edges, rough)
    sums = np.stack([means.sum(axis=0), squares])
    means /= grid.counts[:, None]
    rough /= 6 * np.maximum(np.diff(edges) - 2, 1)[:, None]
    kept = means[:0] if design.kind == "quantile" else means
    return BinnedTraces(kept.astype(dtype), rough.astype(dtype), sums, bad)


def join_stretches(
    parts: list[BinnedTraces], starts: list[int], *, first: int, last: int
) -> BinnedTraces:
    """Put consecutive stretches of time together, for voxels `first` to `last`.

    `starts` are the first samples of the stretches.
    """
    bad = _none_bad(last - first)
    for part, start in zip(parts, starts, strict=True):
        here = part.bad[:, first:last]
        bad[1] = np.where((bad[1] < 0) & (here[1] >= 0), here[1] + start, bad[1])
        bad[0] += here[0]
        bad[2] += here[2]
    return BinnedTraces(
        np.concatenate([part.means[:, first:last] for part in parts]),
        np.concatenate([part.noise[:, first:last] for part in parts]),
        np.sum([part.sums[:, first:last] for part in parts], axis=0),
        bad,
    )


def _none_bad(count: int) -> Array:
    return np.repeat(np.array([[0], [-1], [0]]), count, axis=1)


def _sums_over(grid: TimeGrid, start: int, stop: int) -> tuple[slice, sparse.csr_array]:
    """Return which bins samples `start` to `stop` lie in, and the matrix that sums them there."""
    first = int(np.searchsorted(grid.bins, start, "right")) - 1
    last = int(np.searchsorted(grid.bins, stop))
    n = stop - start
    ends = np.clip(grid.bins[first : last + 1] - start, 0, n)
    matrix = sparse.csr_array((np.ones(n), np.arange(n), ends), shape=(last - first, n))
    return slice(first, last), matrix


def _add_differences(values: Array, first: int, last: int, edges: Array, rough: Array) -> None:
    """Add the squares of second differences that samples `first` to `last` end, block by block."""
    low = int(np.searchsorted(edges, first, "right")) - 1
    for block in range(low, int(np.searchsorted(edges, last))):
        begin, end = max(edges[block], first), min(edges[block + 1], last)
        differences = np.diff(values[begin - first : end - first], 2, axis=0)
        rough[block] += np.einsum("ij,ij->j", differences, differences)


def _count_bad(values: Array, bad: Array, start: int) -> None:
    """Count what is not finite in a stretch of time, note where the first is, count the NaN."""
    lost = ~np.isfinite(values)
    bad[0] += lost.sum(axis=0)
    bad[1] = np.where((bad[1] < 0) & lost.any(axis=0), start + lost.argmax(axis=0), bad[1])
    bad[2] += np.isnan(values).sum(axis=0)
