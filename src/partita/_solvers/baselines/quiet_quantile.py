"""A running quantile that follows how much of the time is quiet."""

from __future__ import annotations

import math

import numpy as np

from ..compute.compilation import compiled
from ..compute.types import Array
from .knot_curve import add_curve, smooth
from .quantile import NORMAL_QUARTILE, quantile_of

_FIRST = 0.125  # a quarter of the quiet fraction where half of the time is quiet
_LEAST_QUIET = 0.1  # of the time
_PASSES = 4


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
    r"""Write a baseline at the lower quartile of the quiet bins into `curve`.

    .. math:: F_0 = q_{p / 4} + 0.674\, \sigma, \quad p = 2\, P(y < F_0)

    Were the quiet fraction p of the bins noise of sd σ around the baseline and all others above
    it, the running quantile at p / 4 would lie 0.674 σ below it, and half of the quiet bins below
    the baseline, which tells p. Both are found in turns, the trend taken out.

    Parameters
    ----------
    y : ndarray, (n_bins,)
        Means of the bins; overwritten.
    variance : float
        Of the noise of one bin, in the square of their units.
    blocks, windows, lines, weights, places : ndarray
        Of the `TimeGrid`.
    curve : ndarray, (n_knots,)
    """
    n_blocks = len(curve)
    work, local = np.empty(len(y)), np.empty(n_blocks)
    noise = math.sqrt(variance)
    share = _FIRST
    curve[:] = 0.0
    for _ in range(_PASSES):
        for b in range(n_blocks):
            held = y[blocks[windows[b, 0]] : blocks[windows[b, 1]]]
            local[b] = quantile_of(held, work, share) + NORMAL_QUARTILE * noise
        smooth(local, work, lines, weights)
        curve += local
        add_curve(y, local, places, -1.0)
        below = 0
        for i in range(len(y)):
            below += y[i] < 0.0
        share = 0.25 * min(1.0, max(_LEAST_QUIET, 2.0 * below / len(y)))
