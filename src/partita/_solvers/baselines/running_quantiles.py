"""Running quantiles of the samples in windows."""

from __future__ import annotations

import numpy as np

from ..compute.compilation import compiled
from ..compute.types import Array
from .quantile import quantile_of


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
        In the units of the cube.
    """
    traces = np.empty((last - first, cube.shape[1]), found.dtype)
    gather_traces(cube, first, last, traces)
    quantiles_of(traces, spans, share, found)


@compiled
def gather_traces(cube: Array, first: int, last: int, traces: Array) -> None:
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
