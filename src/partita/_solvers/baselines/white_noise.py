"""The variance of white noise under a trace, told from its second differences.

Those of a slow baseline vanish, those of transients are large in few places only, and those of
white noise have six times its variance.
"""

from __future__ import annotations

import math

import numpy as np

from ..compute.types import Array
from .quantile import NORMAL_QUARTILE, quantile_of

_SEGMENT = 16  # differences a stretch: short enough to lie between transients
_STRETCHES = 8  # of fewer a quartile is too noisy, and the mean is taken
_INDEPENDENT = 0.514  # 18 / 35, by the autocorrelation 1, -2/3, 1/6 of second differences


def bin_variance(y: Array) -> Array:
    r"""Return the variance of white noise in traces (n, n_voxels), in the square of their units.

    .. math:: \sigma^2 = \frac{1}{6 n} \sum_t (y_{t+2} - 2 y_{t+1} + y_t)^2

    in stretches of some 16 differences, brought together by `noise_variance`; 0 where there are
    fewer than three values.
    """
    n = len(y) - 2
    if n < 1:
        return np.zeros(y.shape[1])
    n_parts = max(1, n // _SEGMENT)
    edges = np.arange(n_parts + 1) * n // n_parts
    squares = np.diff(y, 2, axis=0) ** 2
    parts = np.add.reduceat(squares, edges[:-1], axis=0) / (6.0 * np.diff(edges)[:, None])
    return noise_variance(parts, n / n_parts)


def noise_variance(noise: Array, samples: float) -> Array:
    r"""Return the variance of white noise from its estimates in many stretches.

    .. math:: \sigma^2 = \frac{q_{1/4}}{(1 - s - 0.674 \sqrt{s})^3}, \quad s = \frac{2}{9 f}

    with the lower quartile of the estimates, which transients hardly raise, over what that
    quartile is for a chi-squared variable of f degrees of freedom over f (Wilson & Hilferty 1931).
    The mean of the estimates where there are fewer than eight.

    Parameters
    ----------
    noise : ndarray, (n_stretches, n_voxels)
        Estimates, in the square of the traces' units.
    samples : float
        Second differences in each. They are correlated: the mean square of n has the spread of
        that of :math:`f = 0.514 n` independent ones.
    """
    if len(noise) < _STRETCHES:
        return np.asarray(noise.mean(axis=0))
    freedom = max(1.0, _INDEPENDENT * samples)
    spread = 2.0 / (9.0 * freedom)
    expected = (1.0 - spread - NORMAL_QUARTILE * math.sqrt(spread)) ** 3
    return quantile_of(noise.T, 0.25) / expected
