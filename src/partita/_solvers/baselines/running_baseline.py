"""The baseline of every voxel of a cube, at the knots of a grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..compute.threads import Crew, single_blas
from ..compute.types import Array
from .binning import BinnedTraces, bin_traces, traces_of
from .bleaching import fit_bleaching
from .design import BaselineDesign
from .quantile import running_quantiles
from .quiet_quantile import quiet_quantile
from .soft_minimum import soft_minimum
from .white_noise import bin_variance, noise_variance
from .windows import maximin

TILE = 512
"""Voxels that a thread takes at a time: with half as many 3000 frames take 1.35 times as long."""


# Means of bins worked on at a time: a megabyte in float64. Half as many take 1.2 times as long;
# with more the memory grows and nothing is won.
_HELD = 1 << 17


class Baselines(NamedTuple):
    """The baselines of many voxels at knots, and what was met on the way.

    Attributes
    ----------
    knots : ndarray, (n_knots, n_voxels)
        Baselines.
    sums : ndarray of float64, (2, n_voxels)
        Sums over time of the values and of their squares.
    bad : ndarray of int64, (3, n_voxels)
        How many values are not finite, where the first is (-1: nowhere), how many are NaN.
    """

    knots: Array
    sums: Array
    bad: Array


def fit_cube(
    cube: Array,
    design: BaselineDesign,
    *,
    dtype: np.dtype[np.floating],
    crew: Crew,
    progress: Callable[[int], object],
) -> Baselines:
    """Compute the baselines of all voxels of a cube.

    Parameters
    ----------
    cube : ndarray, (before, time, after)
        Real values.
    design : BaselineDesign
        Of the baseline.
    dtype : dtype
        float32 or float64: what the baselines are kept in.
    crew : Crew
        Shares out tiles of voxels.
    progress : callable
        Told how many voxels have been done.
    """

    def work(first: int, last: int) -> tuple[BinnedTraces, Array | None]:
        binned = bin_traces(cube, design, first=first, last=last, dtype=dtype)
        if design.kind != "quantile":
            return binned, None
        held = np.ascontiguousarray(traces_of(cube, first, last).T, dtype)
        return binned, running_quantiles(held, design.spans, design.share)

    n_voxels = cube.shape[0] * cube.shape[2]
    return fit_tiles(work, n_voxels, design, dtype=dtype, crew=crew, progress=progress)


def fit_tiles(
    work: Callable[[int, int], tuple[BinnedTraces, Array | None]],
    n_voxels: int,
    design: BaselineDesign,
    *,
    dtype: np.dtype[np.floating],
    crew: Crew,
    progress: Callable[[int], object],
) -> Baselines:
    """Compute baselines tile by tile from what `work` bins of voxels first to last."""
    found = Baselines(
        np.empty((len(design.knots), n_voxels), dtype),
        np.empty((2, n_voxels)),
        np.empty((3, n_voxels), np.int64),
    )

    def fit(first: int) -> None:
        last = min(first + TILE, n_voxels)
        with np.errstate(invalid="ignore", over="ignore"):
            binned, quantile = work(first, last)
            found.knots[:, first:last] = _solve(binned, design, quantile)
        found.sums[:, first:last], found.bad[:, first:last] = binned.sums, binned.bad
        progress(last - first)

    with single_blas():
        crew.map(fit, range(0, n_voxels, TILE))
    return found


def _solve(binned: BinnedTraces, design: BaselineDesign, quantile: Array | None) -> Array:
    """Return baselines at the knots, (n_knots, n_voxels) in float64.

    Parameters
    ----------
    binned : BinnedTraces
        Of the voxels.
    design : BaselineDesign
        The same that binned them.
    quantile : ndarray, (n_spans, n_voxels), or None
        For the kind "quantile": those of the windows.
    """
    if quantile is not None:
        return np.asarray(design.matrix @ quantile)
    if design.kind == "mean":
        return np.asarray(design.matrix @ _running_means(binned.means, design))
    n_bins, n_voxels = binned.means.shape
    step = max(1, _HELD // n_bins)
    parts = [slice(i, i + step) for i in range(0, n_voxels, step)]
    curves = np.hstack([_curves(binned.means[:, p], binned.noise[:, p], design) for p in parts])
    curves[:, binned.bad[0] > 0] = np.nan
    return fit_bleaching(curves.T, design.knots).T if design.kind == "exponential" else curves


def _curves(means: Array, noise: Array, design: BaselineDesign) -> Array:
    """Return baselines by the means of bins at the knots, whatever they hold."""
    grid, y = design.grid, means.astype(np.float64)
    if design.kind == "maximin":
        return maximin(y, grid.blocks, grid.windows)
    usual = float(np.median(grid.counts))
    if design.tells_noise:
        samples = float(np.median(np.diff(grid.bins[grid.blocks]))) - 2.0
        variance = noise_variance(noise.astype(np.float64), samples)
    else:
        variance = bin_variance(y)
    if design.kind == "adaptive":
        return quiet_quantile(y, variance / usual, grid)
    return soft_minimum(y, variance, usual, grid)


def _running_means(means: Array, design: BaselineDesign) -> Array:
    grid = design.grid
    totals = np.zeros((len(grid.counts) + 1, means.shape[1]))
    np.cumsum(means * grid.counts[:, None], axis=0, out=totals[1:])
    first, last = np.searchsorted(grid.bins, design.spans).T
    return np.asarray((totals[last] - totals[first]) / np.diff(design.spans, axis=1))
