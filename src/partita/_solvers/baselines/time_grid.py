"""Recordings thinned out to means over short bins, on a grid laid over the times of the samples.

A slow curve needs few numbers. Samples are averaged in bins of a forty-fifth of a window, bins
are grouped in blocks of a fifth of it, and a curve is held at one knot a block, between which it
is a straight line. The grid depends on the times alone, so neither chunks nor the order of
dimensions change what is computed on it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from ..compute.types import Array

BINS_A_WINDOW = 45
"""Bins in a window.

On simulated traces with 0.5 events a second 25 have 15 to 30 % more error, and the same where
events are sparse; 90 have up to 16 % more, for twice the work.
"""


BLOCKS_A_WINDOW = 5
"""Blocks in a window: 3 and 9 change the error on the same traces by at most 6 %."""


LINE = 1.8
"""Length of the stretch that a straight line is fitted through, in windows.

On the same traces 1.4 has up to 16 % more error where events are dense; 3 has 6 % less there, but
2.4 times as much where they are sparse, for bleaching is no straight line.
"""


class TimeGrid(NamedTuple):
    """Where bins and blocks begin, and what a curve at the knots is between them.

    Attributes
    ----------
    bins : ndarray of int64, (n_bins + 1,)
        First sample of every bin, and the number of samples.
    blocks : ndarray of int64, (n_blocks + 1,)
        First bin of every block, and the number of bins.
    counts : ndarray of float64, (n_bins,)
        Samples in every bin.
    knots : ndarray of float64, (n_blocks,)
        Mean time of the samples of every block, s.
    windows : ndarray of int64, (n_blocks, 2)
        First block, and the one after the last, that a window around each block reaches.
    lines : csr_array, (n_blocks, n_blocks)
        Takes a curve at the knots to straight lines fitted in the stretches around them.
    between : csr_array, (n_bins, n_blocks)
        Takes a curve at the knots to the bins: straight between knots, the outermost lines going
        on beyond the ends.
    """

    bins: Array
    blocks: Array
    counts: Array
    knots: Array
    windows: Array
    lines: sparse.csr_array
    between: sparse.csr_array


def lay_grid(times: Array, window: float) -> TimeGrid:
    """Lay bins and blocks over the times of samples.

    Parameters
    ----------
    times : ndarray, (n_times,)
        Rising times, s.
    window : float
        Length of the window, s.
    """
    step = float(np.median(np.diff(times)))
    per_bin = max(1, round(window / (BINS_A_WINDOW * step)))
    edges = _edges(times, per_bin * step, at_least=per_bin / 2)
    counts = np.diff(edges).astype(np.float64)
    centres = np.add.reduceat(times, edges[:-1]) / counts
    per_block = max(1.0, round(window / (BLOCKS_A_WINDOW * per_bin * step))) * per_bin * step
    blocks = _edges(centres, per_block, at_least=per_block / (2 * per_bin * step))
    first = edges[blocks[:-1]]
    knots = np.add.reduceat(times, first) / np.diff(edges[blocks])
    windows, stretches = (_around(knots, share * window / 2) for share in (1.0, LINE))
    lines, between = _line_matrix(knots, stretches), _line_between(centres, knots)
    return TimeGrid(edges, blocks, counts, knots, windows, lines, between)


def with_blocks_alone(grid: TimeGrid) -> TimeGrid:
    """Return a grid with one bin a block, for what needs no finer means."""
    bins = grid.bins[grid.blocks]
    blocks, between = np.arange(len(bins)), sparse.eye_array(len(grid.knots), format="csr")
    counts = np.diff(bins).astype(np.float64)
    return grid._replace(bins=bins, blocks=blocks, counts=counts, between=between)


def spans_of(grid: TimeGrid) -> Array:
    """Return the first sample, and the one after the last, of every window: (n_blocks, 2)."""
    return np.asarray(grid.bins[grid.blocks[grid.windows]])


def recentre(times: Array, spans: Array, knots: Array) -> Array:
    """Return the matrix that takes statistics of windows to the knots.

    Windows cut short by an end of the recording stand for the middle of what they hold. Between
    those middles the statistic is a straight line; towards the ends the line through the middles
    in the outer half window goes on.

    Parameters
    ----------
    times : ndarray, (n_times,)
        Of the samples, s.
    spans : ndarray, (n_windows, 2)
        Samples of every window.
    knots : ndarray, (n_knots,)
        Times to take them to, s.

    Returns
    -------
    ndarray, (n_knots, n_windows)
    """
    sums = np.concatenate([[0.0], np.cumsum(times - times[0])])
    middles = times[0] + (sums[spans[:, 1]] - sums[spans[:, 0]]) / np.diff(spans, axis=1)[:, 0]
    matrix = np.zeros((len(knots), len(middles)))
    if len(middles) == 1:
        matrix[:] = 1.0
        return matrix
    half = (times[-1] - times[0]) * np.median(np.diff(spans, axis=1)) / len(times) / 2
    for row, knot in enumerate(knots):
        if middles[0] <= knot <= middles[-1]:
            at = float(place(np.array([knot]), middles)[0])
            left = min(int(at), len(middles) - 2)
            matrix[row, left : left + 2] = left + 1 - at, at - left
            continue
        end = 0 if knot < middles[0] else -1
        near = np.flatnonzero(np.abs(middles - middles[end]) <= half)
        matrix[row, near] = _line_through(middles[near] - knot)
    return matrix


def place(times: Array, knots: Array) -> Array:
    """Say where times lie among knots: 1.25 is a quarter of the way from the second to the third.

    Before the first knot and after the last the line through the outer two goes on.
    """
    if len(knots) < 2:
        return np.zeros(len(times))
    left = np.clip(np.searchsorted(knots, times, "right") - 1, 0, len(knots) - 2)
    return np.asarray(left + (times - knots[left]) / (knots[left + 1] - knots[left]))


def _edges(times: Array, width: float, *, at_least: float) -> Array:
    """Cut times into stretches of one width; one that holds too few joins the one before it."""
    labels = np.floor((times - times[0]) / width + 1e-6)
    starts = np.flatnonzero(np.diff(labels, prepend=-1))
    kept = [0]
    for start, end in zip(starts[1:], [*starts[2:], len(times)], strict=True):
        if end - start >= at_least:
            kept.append(start)
    return np.array([*kept, len(times)], dtype=np.int64)


def _around(knots: Array, reach: float) -> Array:
    reach *= 1 + 1e-9
    first = np.searchsorted(knots, knots - reach)
    return np.stack([first, np.searchsorted(knots, knots + reach, "right")], axis=1)


def _line_matrix(knots: Array, stretches: Array) -> sparse.csr_array:
    rows = [_line_through(knots[a:b] - at) for (a, b), at in zip(stretches, knots, strict=True)]
    columns = [np.arange(a, b) for a, b in stretches]
    ends = np.concatenate([[0], np.cumsum(np.diff(stretches, axis=1))])
    held = (np.concatenate(rows), np.concatenate(columns), ends)
    return sparse.csr_array(held, shape=(len(knots), len(knots)))


def _line_between(times: Array, knots: Array) -> sparse.csr_array:
    n, at = len(times), place(times, knots)
    left = np.clip(np.floor(at).astype(np.int64), 0, max(len(knots) - 2, 0))
    right = np.minimum(left + 1, len(knots) - 1)
    held = np.stack([left + 1 - at, at - left], axis=1).ravel()
    columns = np.stack([left, right], axis=1).ravel()
    return sparse.csr_array((held, columns, np.arange(0, 2 * n + 1, 2)), shape=(n, len(knots)))


def _line_through(x: Array) -> Array:
    """Return the weights of values at `x` in their least-squares line's value at 0."""
    spread = ((x - x.mean()) ** 2).sum()
    slope = x.mean() * (x - x.mean()) / spread if spread > 0 else 0.0
    return np.asarray(1 / len(x) - slope)
