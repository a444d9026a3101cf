"""A quantile of a few values, by selection."""

from __future__ import annotations

import math

from ..compute.compilation import compiled
from ..compute.types import Array

NORMAL_QUARTILE = 0.6744897501960817
"""How far below its mean the lower quartile of a normal variable lies, in standard deviations."""


@compiled
def quantile_of(values: Array, work: Array, share: float) -> float:
    r"""Return the quantile of values at a share of their order, 0 to 1.

    .. math:: q = (1 - a) x_{(k)} + a x_{(k + 1)}, \quad k + a = s (n - 1),

    with the values in rising order from :math:`x_{(0)}`, as numpy has it by default. `work` holds
    at least as many values and is overwritten.
    """
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
