"""Values between samples: interpolation over time, and the low-pass before the rate falls.

What a target needs lies near it, so a lazy array is worked on in windows. A cubic spline reaches
over all samples, but a sample's influence at least halves from one to the next (de Boor 1978): 60
samples on either side change a value by less than its rounding.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy.interpolate
import scipy.signal
import xarray as xr

from partita.preprocess.voxels.columns import Window, transform

Interpolation = Literal["cubic", "linear"]

LEAST = {"linear": 2, "cubic": 4}
"""How many samples each interpolation needs."""

_REACH = {"linear": 1, "cubic": 60}  # samples on either side: 2^-60 is below rounding
# Of the low-pass, as `scipy.signal.resample_poly` has it: the half width in samples of the result
# and the shape of the window.
_HALF_WIDTH = 10
_KAISER = 5.0


class Decimation(NamedTuple):
    """Where to decimate to: even targets, each the middle of `factor` finer steps.

    Attributes
    ----------
    start, step : float
        The first target and their distance, s.
    n_targets : int
        How many targets.
    factor : int
        How many fine steps make one: as fine as the samples, or 1 for no low-pass.
    """

    start: float
    step: float
    n_targets: int
    factor: int


def interpolate(
    recording: xr.DataArray,
    times: np.ndarray,
    targets: np.ndarray,
    *,
    interpolation: str,
    sample_dim: str,
    caller: str,
) -> Any:
    """Return the values of a recording at other times.

    Parameters
    ----------
    recording : xarray.DataArray, (time, *features) in any order
        Lazy or not.
    times : numpy.ndarray, (time,)
        Of its samples, s; rising.
    targets : numpy.ndarray, (n_targets,)
        Where values are wanted, s; rising. Beyond the first and last sample these two are held.
    interpolation : {"linear", "cubic"}
        A line, or a spline with the not-a-knot condition at its ends.
    """
    pieces = _pieces(recording, times, targets, sample_dim)
    windows = []
    for first, last in pieces:
        wanted = targets[first:last]
        start, stop = _around(times, wanted[0], wanted[-1], _REACH[interpolation])
        work = partial(
            _interpolate, times=times[start:stop], targets=wanted, interpolation=interpolation
        )
        windows.append(Window(start, stop, last - first, work))
    return transform(recording, windows, sample_dim=sample_dim, caller=caller)


def decimate(
    recording: xr.DataArray,
    times: np.ndarray,
    wanted: Decimation,
    *,
    interpolation: str,
    sample_dim: str,
    caller: str,
) -> Any:
    """Return the values of a recording on a coarser even grid, with no aliases of what is faster.

    The recording is interpolated to the fine steps, and a windowed sinc that ends at
    half the new rate (`scipy.signal.resample_poly` uses the same) is applied at the targets. At
    both ends it sees the recording turned about its end point.
    """
    targets = wanted.start + wanted.step * np.arange(wanted.n_targets)
    half = wanted.factor * min(_HALF_WIDTH, wanted.n_targets - 1)
    kernel = scipy.signal.firwin(2 * half + 1, 1 / wanted.factor, window=("kaiser", _KAISER))
    n_fine = (wanted.n_targets - 1) * wanted.factor + 1
    windows = []
    for first, last in _pieces(recording, times, targets, sample_dim):
        low = max(0, first * wanted.factor - half)
        high = min(n_fine, (last - 1) * wanted.factor + half + 1)
        if first * wanted.factor < half:  # what is turned about the end must be there
            high = max(high, half + 1)
        if (last - 1) * wanted.factor + half >= n_fine:
            low = min(low, n_fine - half - 1)
        fine = wanted.start + wanted.step / wanted.factor * np.arange(low, high)
        start, stop = _around(times, fine[0], fine[-1], _REACH[interpolation])
        work = partial(
            _decimate,
            times=times[start:stop],
            fine=np.minimum(fine, times[-1]),
            interpolation=interpolation,
            kernel=kernel,
            factor=wanted.factor,
            centres=(first * wanted.factor - low, (last - 1) * wanted.factor - low),
        )
        windows.append(Window(start, stop, last - first, work))
    return transform(recording, windows, sample_dim=sample_dim, caller=caller)


def _pieces(
    recording: xr.DataArray, times: np.ndarray, targets: np.ndarray, sample_dim: str
) -> list[tuple[int, int]]:
    """Cut the targets as the recording is cut in time; in one where it is not lazy."""
    if recording.chunks is None:
        return [(0, targets.size)]
    starts = np.cumsum(recording.chunksizes[sample_dim])[:-1]
    cuts = np.searchsorted(targets, times[starts])
    edges = np.unique([0, *cuts, targets.size])
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _around(times: np.ndarray, low: float, high: float, reach: int) -> tuple[int, int]:
    """Return the samples from `reach` before `low` to `reach` after `high`."""
    start = int(np.searchsorted(times, low, side="right")) - reach
    stop = int(np.searchsorted(times, high)) + reach
    # At the ends, as many as a spline needs.
    least = min(times.size, 2 * reach)
    start = max(0, min(start, times.size - least))
    return start, min(times.size, max(stop, start + least))


def _interpolate(
    columns: np.ndarray, *, times: np.ndarray, targets: np.ndarray, interpolation: str
) -> np.ndarray:
    targets = np.clip(targets, times[0], times[-1])
    if interpolation == "cubic":
        empty = ~np.isfinite(columns).all(axis=0)
        columns[:, empty] = 0  # a spline takes no NaN
        found: np.ndarray = scipy.interpolate.CubicSpline(times, columns, axis=0)(targets)
        found[:, empty] = np.nan
        return found
    right = np.clip(np.searchsorted(times, targets), 1, times.size - 1)
    share = ((targets - times[right - 1]) / (times[right] - times[right - 1]))[:, None]
    found = columns[right - 1] * (1 - share)
    found += columns[right] * share
    return found


def _decimate(
    columns: np.ndarray,
    *,
    times: np.ndarray,
    fine: np.ndarray,
    interpolation: str,
    kernel: np.ndarray,
    factor: int,
    centres: tuple[int, int],
) -> np.ndarray:
    values = _interpolate(columns, times=times, targets=fine, interpolation=interpolation)
    half = kernel.size // 2
    first, last = centres
    before, after = max(0, half - first), max(0, last + half + 1 - len(values))
    head = 2 * values[0] - values[before:0:-1]
    tail = 2 * values[-1] - values[-2 : -2 - after : -1]
    values = np.concatenate([head, values, tail])[first + before - half : last + before + half + 1]
    smooth = scipy.signal.upfirdn(kernel, values, down=factor, axis=0)
    reach = 2 * half // factor
    return np.asarray(smooth[reach : reach + (last - first) // factor + 1])
