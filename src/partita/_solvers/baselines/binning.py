"""Traces averaged over the bins of a time grid, and what is met on the way."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..compute.compilation import compiled
from ..compute.types import Array
from .design import BaselineDesign


class BinnedTraces(NamedTuple):
    """Means of some voxels over short bins, and what else their baseline needs.

    Attributes
    ----------
    means : ndarray, (n_voxels, n_bins)
        Means over the bins.
    noise : ndarray, (n_voxels, n_blocks)
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


def bin_traces(
    cube: Array, design: BaselineDesign, *, first: int, last: int, dtype: np.dtype[np.floating]
) -> BinnedTraces:
    """Average voxels `first` to `last` of a cube (before, time, after) over the bins."""
    count, grid = last - first, design.grid
    n_noise = len(grid.blocks) - 1 if design.tells_noise else 0
    means, noise = np.empty((count, len(grid.counts)), dtype), np.empty((count, n_noise), dtype)
    sums = np.zeros((2, count))
    bad = np.zeros((3, count), dtype=np.int64)
    bad[1] = -1
    _average(cube, first, last, grid.bins, grid.blocks, means, noise, sums, bad)
    return BinnedTraces(
        means if design.kind != "quantile" else means[:, :0].copy(), noise, sums, bad
    )


def join_stretches(
    parts: list[BinnedTraces], starts: list[int], *, first: int, last: int
) -> BinnedTraces:
    """Put consecutive stretches of time together, for voxels `first` to `last`.

    `starts` are the first samples of the stretches.
    """
    bad = np.zeros((3, last - first), dtype=np.int64)
    bad[1] = -1
    for part, start in zip(parts, starts, strict=True):
        here = part.bad[:, first:last]
        bad[1] = np.where((bad[1] < 0) & (here[1] >= 0), here[1] + start, bad[1])
        bad[0] += here[0]
        bad[2] += here[2]
    return BinnedTraces(
        np.concatenate([part.means[first:last] for part in parts], axis=1),
        np.concatenate([part.noise[first:last] for part in parts], axis=1),
        np.sum([part.sums[:, first:last] for part in parts], axis=0),
        bad,
    )


@compiled
def _average(
    cube: Array,
    first: int,
    last: int,
    bins: Array,
    blocks: Array,
    means: Array,
    noise: Array,
    sums: Array,
    bad: Array,
) -> None:
    r"""Average voxels `first` to `last` of a cube (before, time, after) over bins, in place.

    .. math:: m_i = \langle x_t \rangle_{t \in i}, \quad
        \sigma_b^2 = \langle (x_t - 2 x_{t-1} + x_{t-2})^2 \rangle_{t \in b} / 6

    with the bins i and blocks b, in the units of the cube and their square.

    Parameters
    ----------
    cube : ndarray, (before, time, after)
        Real values; voxel v lies at (v // after, v % after).
    bins, blocks : ndarray
        As in `TimeGrid`, from the first sample of the cube.
    means : ndarray, (last - first, n_bins)
    noise : ndarray, (last - first, n_blocks), or (last - first, 0) to leave it out
        Variance of white noise.
    sums : ndarray, (2, last - first)
        Sums over time of the values and of their squares are added to what they hold.
    bad : ndarray, (3, last - first)
        Count of values that are not finite, index of the first or -1, count of NaN.
    """
    n_after = cube.shape[2]
    total = np.empty(last - first)
    rough = np.empty(last - first)
    voxel = first
    while voxel < last:
        row, column = voxel // n_after, voxel % n_after
        run = min(n_after - column, last - voxel)
        at = voxel - first
        for block in range(len(blocks) - 1):
            begin, end = bins[blocks[block]], bins[blocks[block + 1]]
            rough[:run] = 0.0
            for i in range(blocks[block], blocks[block + 1]):
                total[:run] = 0.0
                for t in range(bins[i], bins[i + 1]):
                    for j in range(run):
                        x = np.float64(cube[row, t, column + j])
                        total[j] += x
                        sums[1, at + j] += x * x
                    if noise.shape[1] > 0 and t >= begin + 2:
                        _add_differences(cube, row, t, column, rough[:run])
                share = 1.0 / (bins[i + 1] - bins[i])
                for j in range(run):
                    means[at + j, i] = total[j] * share
                    sums[0, at + j] += total[j]
            if noise.shape[1] > 0:
                for j in range(run):
                    noise[at + j, block] = rough[j] / (6.0 * max(end - begin - 2, 1))
        for j in range(run):
            if not np.isfinite(sums[1, at + j]):
                _count_bad(cube[row, :, column + j], bad[:, at + j])
        voxel += run


@compiled
def _add_differences(cube: Array, row: int, t: int, column: int, rough: Array) -> None:
    r"""Add :math:`(x_t - 2 x_{t-1} + x_{t-2})^2` of voxels from (row, column) on to `rough`."""
    for j in range(len(rough)):
        a = np.float64(cube[row, t, column + j])
        b = np.float64(cube[row, t - 1, column + j])
        c = np.float64(cube[row, t - 2, column + j])
        rough[j] += (a - b - (b - c)) ** 2


@compiled
def _count_bad(values: Array, bad: Array) -> None:
    """Count what is not finite in a trace, note where the first is, and count the NaN."""
    for t in range(len(values)):
        x = np.float64(values[t])
        if not np.isfinite(x):
            bad[0] += 1
            if bad[1] < 0:
                bad[1] = t
            if np.isnan(x):
                bad[2] += 1
