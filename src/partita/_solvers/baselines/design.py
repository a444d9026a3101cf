"""What a baseline needs to know of the times of a recording, computed once for all voxels."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from ..compute.types import Array
from .time_grid import TimeGrid, lay_grid, recentre, spans_of, with_blocks_alone

Kind = Literal["minimum", "adaptive", "maximin", "exponential", "quantile", "mean"]

_BY_MEANS = ("minimum", "adaptive", "maximin", "exponential")  # of bins, each trace by itself


class BaselineDesign(NamedTuple):
    """How a baseline is computed from the samples of a recording.

    Attributes
    ----------
    kind : str
        What is computed.
    grid : TimeGrid
        Bins, blocks and windows.
    knots : ndarray, (n_knots,)
        Times at which the baseline is held, s.
    spans : ndarray, (n_spans, 2)
        Samples of every window of a running quantile or mean.
    share : float
        Which quantile, 0 to 1.
    matrix : ndarray, (n_knots, n_spans)
        Takes quantiles or means of the windows to the knots.
    tells_noise : bool
        Whether second differences of the samples tell the noise, because bins hold several.
    """

    kind: Kind
    grid: TimeGrid
    knots: Array
    spans: Array
    share: float
    matrix: Array
    tells_noise: bool


def design_baseline(
    times: Array, *, kind: Kind, window: float | None, share: float = 0.5
) -> BaselineDesign:
    """Lay out a baseline over the times of a recording.

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
    if kind not in _BY_MEANS:
        grid = with_blocks_alone(grid)
    spans, knots = spans_of(grid), grid.knots
    if whole and kind in ("quantile", "mean"):
        spans, knots = np.array([[0, len(times)]]), times.mean(keepdims=True)
    tells_noise = kind in _BY_MEANS and bool(np.median(grid.counts) >= 2)
    matrix = recentre(times, spans, knots)
    return BaselineDesign(kind, grid, knots, spans, share, matrix, tells_noise)


def cut_design(design: BaselineDesign, first: int, last: int) -> BaselineDesign:
    """Return the part of a design that bins blocks `first` to `last`, samples from 0."""
    grid = design.grid
    blocks = grid.blocks[first : last + 1]
    bins = grid.bins[blocks[0] : blocks[-1] + 1]
    counts = grid.counts[blocks[0] : blocks[-1]]
    part = grid._replace(bins=bins - bins[0], blocks=blocks - blocks[0], counts=counts)
    return design._replace(grid=part)
