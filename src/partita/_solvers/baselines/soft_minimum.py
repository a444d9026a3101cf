"""Baselines of fluorescence traces from the means of short bins.

A trace is a slow baseline, transients that only rise above it, and white noise of a known size.
Its running minimum is soft, ``-log(mean(exp(-x / w))) * w``, because the bias of a soft minimum by
Gaussian noise is known exactly however much of the time is quiet: it lies ``sd**2 / (2 w)`` below.
What transients leave of a bias is taken from a Gamma law of activity, the stationary law of
exponential transients at Poisson times, whose Laplace transform is ``(1 + theta / w)**-shape``.
"""

from __future__ import annotations

import math

import numpy as np

from ..compute.compilation import compiled
from ..compute.types import Array

SOFTNESS = 2.0
"""Noise of a bin over the softness of the minimum: larger listens to fewer, deeper bins."""


_PASSES = 3
_QUIET_NOISE = -0.6744897501960817  # the lower quartile of a normal variable: quiet stretches
_SEGMENT = 16
_STRETCHES = 8
_TINY = 1e-7
_STEPS = 60


@compiled
def quantile_of(values: Array, work: Array, share: float) -> float:
    """Return a quantile of values, interpolated linearly; `work` is overwritten."""
    n = len(values)
    work[:n] = values
    at = share * (n - 1)
    k = math.floor(at)
    _select(work, n, k)
    low = float(work[k])
    if at == k:
        return low
    high = work[k + 1]
    for i in range(k + 2, n):
        high = min(high, work[i])
    return low + (at - k) * (float(high) - low)


@compiled
def _select(work: Array, n: int, k: int) -> None:
    """Reorder the first n values so that the one of rank k stands at k, smaller ones before it.

    Hoare's quickselect (1961), the pivot the middle one of three.
    """
    left, right = 0, n - 1
    while left < right:
        first, middle, last = work[left], work[(left + right) // 2], work[right]
        pivot = max(min(first, middle), min(max(first, middle), last))
        i, j = left, right
        while i <= j:
            while work[i] < pivot:
                i += 1
            while pivot < work[j]:
                j -= 1
            if i <= j:
                work[i], work[j] = work[j], work[i]
                i += 1
                j -= 1
        if k <= j:
            right = j
        elif k >= i:
            left = i
        else:
            return


@compiled
def noise_variance(noise: Array, samples: float) -> float:
    """Return the variance of white noise from its estimates in many stretches.

    The lower quartile of the estimates, which transients hardly raise, over what that quartile is
    for chi-squared variables (Wilson & Hilferty 1931) of as many degrees of freedom as the second
    differences of white noise have; the mean of the estimates where there are fewer than eight.
    """
    if len(noise) < _STRETCHES:
        return float(noise.mean())
    freedom = max(1.0, 0.514 * samples)
    spread = 2.0 / (9.0 * freedom)
    expected = (1.0 - spread + _QUIET_NOISE * math.sqrt(spread)) ** 3
    lower: float = quantile_of(noise, np.empty_like(noise), 0.25)
    return lower / expected


@compiled
def bin_variance(y: Array) -> float:
    """Return the variance of white noise from the second differences of a trace."""
    n = len(y) - 2
    if n < 1:
        return 0.0
    n_parts = max(1, n // _SEGMENT)
    parts = np.zeros(n_parts)
    for part in range(n_parts):
        first, last = part * n // n_parts, (part + 1) * n // n_parts
        for t in range(first, last):
            parts[part] += (y[t + 2] - 2.0 * y[t + 1] + y[t]) ** 2 / (6.0 * (last - first))
    found: float = noise_variance(parts, n / n_parts)
    return found


@compiled
def soft_minimum(
    y: Array,
    variance: float,
    usual: float,
    counts: Array,
    blocks: Array,
    windows: Array,
    lines: Array,
    weights: Array,
    places: Array,
    curve: Array,
) -> None:
    """Write the baseline of one trace at the knots into `curve`.

    Parameters
    ----------
    y : ndarray, (n_bins,)
        Means of the bins; overwritten.
    variance : float
        Of the noise of one sample.
    usual : float
        Samples in a usual bin.
    counts, blocks, windows, lines, weights, places : ndarray
        Of the grid.
    """
    n_blocks = len(curve)
    work = np.empty(n_blocks)
    size = np.abs(y).max()
    if size == 0.0:
        curve[:] = 0.0
        return
    noise = math.sqrt(variance / usual)
    width = max(noise, _TINY * size) / SOFTNESS
    for i in range(len(y)):
        y[i] += variance / (2.0 * counts[i] * width)
    for b in range(n_blocks):
        work[b] = y[blocks[b] : blocks[b + 1]].min()
    for b in range(n_blocks):
        curve[b] = work[windows[b, 0] : windows[b, 1]].min()
    smooth(curve, work, lines, weights)
    for _ in range(_PASSES):
        take(y, curve, places, -1.0)
        for b in range(n_blocks):
            work[b] = _softest(y[blocks[b] : blocks[b + 1]], width)
        take(y, curve, places, 1.0)
        local = np.empty(n_blocks)
        for b in range(n_blocks):
            local[b] = _softest(work[windows[b, 0] : windows[b, 1]], width)
        smooth(local, work, lines, weights)
        curve += local
    take(y, curve, places, -1.0)
    level = quiet_level(y, width, variance, counts)
    curve += level


@compiled
def quiet_level(r: Array, width: float, variance: float, counts: Array) -> float:
    """Return the level under a stationary trace, whose soft minimum transients have raised.

    Mean, variance and soft minimum of the trace are matched with those of noise plus a Gamma
    variable of shape `shape` and scale `theta`, the shape at most 1: of a trace whose quiet state
    is not its most frequent one no baseline can be told.
    """
    n = len(r)
    own = 0.0
    for i in range(n):
        own += variance / (counts[i] * n)
    soft: float = _softest(r, width)
    mean = r.mean() - own / (2.0 * width)
    spread = r.var() - own
    if spread <= 0.0 or mean <= soft:
        return soft
    low, high = math.log(math.sqrt(spread)), math.log(math.sqrt(spread)) + 12.0
    if _mismatch(math.exp(low), mean, spread, soft, width) >= 0.0:
        return float(soft - width * math.log1p(math.exp(low) / width))
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        if _mismatch(math.exp(middle), mean, spread, soft, width) < 0.0:
            low = middle
        else:
            high = middle
    theta = math.exp(low)
    return float(soft - width * spread / theta**2 * math.log1p(theta / width))


@compiled
def _mismatch(theta: float, mean: float, spread: float, soft: float, width: float) -> float:
    """Return how far the level by the mean lies above the level by the soft minimum."""
    shape = spread / theta**2
    return mean - shape * theta - (soft - shape * width * math.log1p(theta / width))


@compiled
def smooth(curve: Array, work: Array, lines: Array, weights: Array) -> None:
    """Replace a curve at the knots by straight lines fitted in stretches around them."""
    for b in range(len(curve)):
        total = 0.0
        for i in range(lines[b, 0], lines[b, 1]):
            total += weights[b, i - lines[b, 0]] * curve[i]
        work[b] = total
    curve[:] = work[: len(curve)]


@compiled
def take(y: Array, curve: Array, places: Array, sign: float) -> None:
    """Add a curve at the knots, times `sign`, to the means of bins."""
    n = len(curve)
    for i in range(len(y)):
        left = min(max(math.floor(places[i]), 0), max(n - 2, 0))
        right = min(left + 1, n - 1)
        y[i] += sign * (curve[left] + (places[i] - left) * (curve[right] - curve[left]))


@compiled
def _softest(values: Array, width: float) -> float:
    low = values.min()
    total = 0.0
    for i in range(len(values)):
        total += math.exp((low - values[i]) / width)
    return float(low - width * math.log(total / len(values)))
