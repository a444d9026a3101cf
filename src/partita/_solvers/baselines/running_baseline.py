"""The baseline of every voxel of a cube, at the knots of a grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..compute.compilation import compiled
from ..compute.threads import Crew, single_blas
from ..compute.types import Array
from .binning import BinnedTraces, bin_traces
from .bleaching import fit_bleaching
from .design import BaselineDesign
from .quiet_quantile import quiet_quantile
from .running_quantiles import running_quantiles
from .soft_minimum import running_minimum, soft_minimum
from .white_noise import bin_variance, noise_variance

TILE = 512
"""Voxels that a thread takes at a time."""


_MINIMUM, _ADAPTIVE, _MAXIMIN = 0, 1, 2
_LOOP_OF = {
    "minimum": _MINIMUM,
    "exponential": _MINIMUM,
    "adaptive": _ADAPTIVE,
    "maximin": _MAXIMIN,
}


class Baselines(NamedTuple):
    """The baselines of many voxels at knots, and what was met on the way.

    Attributes
    ----------
    knots : ndarray, (n_voxels, n_knots)
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
        quantile = np.empty((last - first, len(design.spans)), dtype)
        running_quantiles(cube, first, last, design.spans, design.share, quantile)
        return binned, quantile

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
        np.empty((n_voxels, len(design.knots)), dtype),
        np.empty((2, n_voxels)),
        np.empty((3, n_voxels), np.int64),
    )

    def fit(first: int) -> None:
        last = min(first + TILE, n_voxels)
        binned, quantile = work(first, last)
        with np.errstate(invalid="ignore", over="ignore"):
            found.knots[first:last] = _solve(binned, design, quantile)
        found.sums[:, first:last], found.bad[:, first:last] = binned.sums, binned.bad
        progress(last - first)

    with single_blas():
        crew.map(fit, range(0, n_voxels, TILE))
    return found


def _solve(binned: BinnedTraces, design: BaselineDesign, quantile: Array | None) -> Array:
    """Return baselines at the knots, (n_voxels, n_knots) in float64.

    Parameters
    ----------
    binned : BinnedTraces
        Of the voxels.
    design : BaselineDesign
        The same that binned them.
    quantile : ndarray, (n_voxels, n_spans), or None
        For the kind "quantile": those of the windows.
    """
    grid = design.grid
    if quantile is not None:
        return np.asarray(quantile @ design.matrix.T, dtype=np.float64)
    if design.kind == "mean":
        return np.asarray(_running_means(binned.means, design) @ design.matrix.T, dtype=np.float64)
    curves = np.empty((len(binned.means), len(grid.knots)))
    samples = float(np.median(np.diff(grid.bins[grid.blocks]))) - 2.0
    _fit_traces(
        _LOOP_OF[design.kind],
        binned.means,
        binned.noise,
        samples,
        float(np.median(grid.counts)),
        grid.counts,
        grid.blocks,
        grid.windows,
        grid.lines,
        grid.weights,
        grid.places,
        curves,
    )
    return fit_bleaching(curves, grid.knots) if design.kind == "exponential" else curves


@compiled
def _fit_traces(
    how: int,
    means: Array,
    noise: Array,
    samples: float,
    usual: float,
    counts: Array,
    blocks: Array,
    windows: Array,
    lines: Array,
    weights: Array,
    places: Array,
    curves: Array,
) -> None:
    """Write the curves (n_voxels, n_knots) of one kind; NaN where values are not finite."""
    for v in range(len(means)):
        y = means[v].astype(np.float64)
        if not np.isfinite(y.sum()):
            curves[v] = np.nan
            continue
        if noise.shape[1] > 0:
            variance = noise_variance(noise[v].astype(np.float64), samples)
        else:
            variance = bin_variance(y)
        if how == _MINIMUM:
            soft_minimum(
                y, variance, usual, counts, blocks, windows, lines, weights, places, curves[v]
            )
        elif how == _ADAPTIVE:
            quiet_quantile(y, variance / usual, blocks, windows, lines, weights, places, curves[v])
        else:
            _maximin(y, blocks, windows, curves[v])


@compiled
def _maximin(y: Array, blocks: Array, windows: Array, curve: Array) -> None:
    """Write the running maximum of the running minimum, both over the windows."""
    low = np.empty(len(curve))
    running_minimum(y, blocks, windows, curve, low)
    for b in range(len(curve)):
        curve[b] = low[windows[b, 0] : windows[b, 1]].max()


def _running_means(means: Array, design: BaselineDesign) -> Array:
    grid = design.grid
    totals = np.zeros((len(means), len(grid.counts) + 1))
    np.cumsum(means * grid.counts, axis=1, out=totals[:, 1:])
    first, last = np.searchsorted(grid.bins, design.spans).T
    return np.asarray((totals[:, last] - totals[:, first]) / np.diff(design.spans, axis=1)[:, 0])
