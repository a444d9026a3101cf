"""Running quantiles: of samples in windows, and of bins at a quantile that follows the quiet."""

from __future__ import annotations

import math

import numpy as np

from ..compute.compilation import compiled
from ..compute.types import Array
from .soft_minimum import quantile_of, smooth, take

_QUARTILE = 0.6744897501960817  # how far the lower quartile of a normal variable lies below 0
_FIRST = 0.125
_LEAST_QUIET = 0.1
_PASSES = 4


@compiled
def running_quantiles(
    cube: Array, first: int, last: int, spans: Array, share: float, found: Array
) -> None:
    """Write quantiles of voxels `first` to `last` over spans of time into `found`.

    Parameters
    ----------
    cube : ndarray, (before, time, after)
        Voxel v lies at (v // after, v % after).
    spans : ndarray of int64, (n_spans, 2)
        First sample, and the one after the last, of every span.
    share : float
        0 for the minimum, 1 for the maximum.
    found : ndarray, (last - first, n_spans)
    """
    traces = np.empty((last - first, cube.shape[1]), found.dtype)
    gather(cube, first, last, traces)
    quantiles_of(traces, spans, share, found)


@compiled
def gather(cube: Array, first: int, last: int, traces: Array) -> None:
    """Copy voxels `first` to `last` of a cube into `traces` (last - first, n_times)."""
    n_after = cube.shape[2]
    voxel = first
    while voxel < last:
        row, column = voxel // n_after, voxel % n_after
        run = min(n_after - column, last - voxel)
        for t in range(cube.shape[1]):
            for j in range(run):
                traces[voxel - first + j, t] = cube[row, t, column + j]
        voxel += run


@compiled
def quantiles_of(traces: Array, spans: Array, share: float, found: Array) -> None:
    """Write quantiles of traces (n_voxels, n_times) over spans of time into `found`."""
    work = np.empty(traces.shape[1], found.dtype)
    for v in range(len(traces)):
        for i in range(len(spans)):
            found[v, i] = quantile_of(traces[v, spans[i, 0] : spans[i, 1]], work, share)


@compiled
def quiet_quantile(
    y: Array,
    variance: float,
    blocks: Array,
    windows: Array,
    lines: Array,
    weights: Array,
    places: Array,
    curve: Array,
) -> None:
    """Write a baseline at the lower quartile of the quiet bins into `curve`.

    Were the quiet fraction p of the bins noise around the baseline and all others above, the
    running quantile at p / 4 would lie 0.674 sd of the noise below it, and half of the quiet bins
    below the baseline, which tells p. Both are found in turns, the trend taken out.

    Parameters
    ----------
    y : ndarray, (n_bins,)
        Means of the bins; overwritten.
    variance : float
        Of the noise of one bin.
    blocks, windows, lines, weights, places : ndarray
        Of the grid.
    """
    n_blocks = len(curve)
    work, local = np.empty(len(y)), np.empty(n_blocks)
    noise = math.sqrt(variance)
    share = _FIRST
    curve[:] = 0.0
    for _ in range(_PASSES):
        for b in range(n_blocks):
            held = y[blocks[windows[b, 0]] : blocks[windows[b, 1]]]
            local[b] = quantile_of(held, work, share) + _QUARTILE * noise
        smooth(local, work, lines, weights)
        curve += local
        take(y, local, places, -1.0)
        below = 0
        for i in range(len(y)):
            below += y[i] < 0.0
        share = 0.25 * min(1.0, max(_LEAST_QUIET, 2.0 * below / len(y)))
