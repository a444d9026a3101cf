"""The baseline of every voxel of a cube, at the knots of a grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from ..compute.compilation import compiled
from ..compute.threads import Crew, single_blas
from ..compute.types import Array
from . import bleaching, running_quantiles, soft_minimum
from .time_grid import Grid, bin_voxels, lay_grid, recentre, spans_of

Kind = Literal["minimum", "adaptive", "maximin", "exponential", "quantile", "mean"]


TILE = 512
_MINIMUM, _ADAPTIVE, _MAXIMIN = 0, 1, 2
_LOOPS = {"minimum": _MINIMUM, "exponential": _MINIMUM, "adaptive": _ADAPTIVE, "maximin": _MAXIMIN}


class Plan(NamedTuple):
    """How a baseline is computed from the times of a recording.

    Attributes
    ----------
    kind : str
        What is computed.
    grid : Grid
        Bins, blocks and windows.
    knots : ndarray, (n_knots,)
        Times at which the baseline is held, s.
    spans : ndarray, (n_spans, 2)
        Samples of every window of a running quantile or mean.
    share : float
        Which quantile, 0 to 1.
    matrix : ndarray, (n_knots, n_spans)
        Takes quantiles or means of the windows to the knots.
    rough : bool
        Whether bins hold several samples, whose second differences then tell the noise.
    """

    kind: Kind
    grid: Grid
    knots: Array
    spans: Array
    share: float
    matrix: Array
    rough: bool


class Summary(NamedTuple):
    """What is kept of some voxels before their baseline is computed.

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


def plan(times: Array, *, kind: Kind, window: float | None, share: float = 0.5) -> Plan:
    """Plan a baseline.

    Parameters
    ----------
    times : ndarray, (n_times,)
        Rising times, s.
    kind : str
        "minimum", "adaptive", "maximin", "exponential", "quantile" or "mean".
    window : float or None
        Length of the window, s; None for the whole recording, of which quantile and mean are
        then one number.
    share : float
        Which quantile, 0 to 1.
    """
    whole = window is None
    length = times[-1] - times[0] if window is None else window
    grid = lay_grid(times, float(length))
    spans, knots = spans_of(grid), grid.knots
    if whole and kind in ("quantile", "mean"):
        spans, knots = np.array([[0, len(times)]]), times.mean(keepdims=True)
    rough = bool(np.median(grid.counts) >= 2)
    return Plan(kind, grid, knots, spans, share, recentre(times, spans, knots), rough)


def summarise(
    cube: Array, plan: Plan, *, first: int, last: int, dtype: np.dtype[np.floating]
) -> Summary:
    """Average voxels `first` to `last` of a cube (before, time, after) over the bins of a plan."""
    count, grid = last - first, plan.grid
    n_noise = len(grid.blocks) - 1 if plan.rough and plan.kind in _LOOPS else 0
    means, noise = np.empty((count, len(grid.counts)), dtype), np.empty((count, n_noise), dtype)
    sums = np.zeros((2, count))
    bad = np.zeros((3, count), dtype=np.int64)
    bad[1] = -1
    bin_voxels(cube, first, last, grid.bins, grid.blocks, means, noise, sums, bad)
    return Summary(means if plan.kind != "quantile" else means[:, :0].copy(), noise, sums, bad)


def cut(plan: Plan, first: int, last: int) -> Plan:
    """Return the part of a plan that summarises blocks `first` to `last`, samples from 0."""
    grid = plan.grid
    blocks = grid.blocks[first : last + 1]
    bins = grid.bins[blocks[0] : blocks[-1] + 1]
    counts = grid.counts[blocks[0] : blocks[-1]]
    part = grid._replace(bins=bins - bins[0], blocks=blocks - blocks[0], counts=counts)
    return plan._replace(grid=part)


def join(parts: list[Summary], starts: list[int], *, first: int, last: int) -> Summary:
    """Put summaries of consecutive stretches of time together, for voxels `first` to `last`.

    `starts` are the first samples of the stretches.
    """
    bad = np.zeros((3, last - first), dtype=np.int64)
    bad[1] = -1
    for part, start in zip(parts, starts, strict=True):
        here = part.bad[:, first:last]
        bad[1] = np.where((bad[1] < 0) & (here[1] >= 0), here[1] + start, bad[1])
        bad[0] += here[0]
        bad[2] += here[2]
    return Summary(
        np.concatenate([part.means[first:last] for part in parts], axis=1),
        np.concatenate([part.noise[first:last] for part in parts], axis=1),
        np.sum([part.sums[:, first:last] for part in parts], axis=0),
        bad,
    )


def solve(summary: Summary, plan: Plan, quantile: Array | None = None) -> Array:
    """Return baselines at the knots, (n_voxels, n_knots) in float64.

    Parameters
    ----------
    summary : Summary
        Of the voxels.
    plan : Plan
        The same that made it.
    quantile : ndarray, (n_voxels, n_spans), optional
        For the kind "quantile": those of the windows.
    """
    grid = plan.grid
    if quantile is not None:
        return np.asarray(quantile @ plan.matrix.T, dtype=np.float64)
    if plan.kind == "mean":
        return np.asarray(_running_means(summary.means, plan) @ plan.matrix.T, dtype=np.float64)
    found = np.empty((len(summary.means), len(grid.knots)))
    samples = float(np.median(np.diff(grid.bins[grid.blocks]))) - 2.0
    _loop(
        _LOOPS[plan.kind],
        summary.means,
        summary.noise,
        samples,
        float(np.median(grid.counts)),
        grid.counts,
        grid.blocks,
        grid.windows,
        grid.lines,
        grid.weights,
        grid.places,
        found,
    )
    return bleaching.fit(found, grid.knots) if plan.kind == "exponential" else found


class Held(NamedTuple):
    """The baselines of many voxels, held at knots, and what was met on the way.

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
    plan: Plan,
    *,
    dtype: np.dtype[np.floating],
    crew: Crew,
    progress: Callable[[int], object],
) -> Held:
    """Compute the baselines of all voxels of a cube.

    Parameters
    ----------
    cube : ndarray, (before, time, after)
        Real values.
    plan : Plan
        Of the baseline.
    dtype : dtype
        float32 or float64: what the baselines are kept in.
    crew : Crew
        Shares out tiles of voxels.
    progress : callable
        Told how many voxels have been done.
    """

    def work(first: int, last: int) -> tuple[Summary, Array | None]:
        summary = summarise(cube, plan, first=first, last=last, dtype=dtype)
        if plan.kind != "quantile":
            return summary, None
        quantile = np.empty((last - first, len(plan.spans)), dtype)
        running_quantiles.running_quantiles(cube, first, last, plan.spans, plan.share, quantile)
        return summary, quantile

    n_voxels = cube.shape[0] * cube.shape[2]
    return fit_tiles(work, n_voxels, plan, dtype=dtype, crew=crew, progress=progress)


def fit_tiles(
    work: Callable[[int, int], tuple[Summary, Array | None]],
    n_voxels: int,
    plan: Plan,
    *,
    dtype: np.dtype[np.floating],
    crew: Crew,
    progress: Callable[[int], object],
) -> Held:
    """Compute baselines tile by tile from what `work` summarises of voxels first to last."""
    held = Held(
        np.empty((n_voxels, len(plan.knots)), dtype),
        np.empty((2, n_voxels)),
        np.empty((3, n_voxels), np.int64),
    )

    def fit(first: int) -> None:
        last = min(first + TILE, n_voxels)
        summary, quantile = work(first, last)
        with np.errstate(invalid="ignore", over="ignore"):
            held.knots[first:last] = solve(summary, plan, quantile)
        held.sums[:, first:last], held.bad[:, first:last] = summary.sums, summary.bad
        progress(last - first)

    with single_blas():
        crew.map(fit, range(0, n_voxels, TILE))
    return held


@compiled
def _loop(
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
    found: Array,
) -> None:
    for v in range(len(means)):
        y = means[v].astype(np.float64)
        if not np.isfinite(y.sum()):
            found[v] = np.nan
            continue
        if noise.shape[1] > 0:
            variance = soft_minimum.noise_variance(noise[v].astype(np.float64), samples)
        else:
            variance = soft_minimum.bin_variance(y)
        if how == _MINIMUM:
            soft_minimum.soft_minimum(
                y, variance, usual, counts, blocks, windows, lines, weights, places, found[v]
            )
        elif how == _ADAPTIVE:
            running_quantiles.quiet_quantile(
                y, variance / usual, blocks, windows, lines, weights, places, found[v]
            )
        else:
            _maximin(y, blocks, windows, found[v])


@compiled
def _maximin(y: Array, blocks: Array, windows: Array, curve: Array) -> None:
    low = np.empty(len(curve))
    for b in range(len(curve)):
        low[b] = y[blocks[windows[b, 0]] : blocks[windows[b, 1]]].min()
    for b in range(len(curve)):
        curve[b] = low[windows[b, 0] : windows[b, 1]].max()


def _running_means(means: Array, plan: Plan) -> Array:
    grid = plan.grid
    totals = np.zeros((len(means), len(grid.counts) + 1))
    np.cumsum(means * grid.counts, axis=1, out=totals[:, 1:])
    first, last = np.searchsorted(grid.bins, plan.spans).T
    return np.asarray((totals[:, last] - totals[:, first]) / np.diff(plan.spans, axis=1)[:, 0])
