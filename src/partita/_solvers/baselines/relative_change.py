"""Values relative to curves that are held at knots."""

from __future__ import annotations

import numpy as np

from ..compute.compilation import compiled
from ..compute.types import Array


@compiled
def apply_knots(
    cube: Array,
    knots: Array,
    left: Array,
    share: Array,
    offset: float,
    how: int,
    first: int,
    last: int,
    result: Array,
) -> None:
    """Write the baseline or the relative change over it into times `first` to `last` of a cube.

    Parameters
    ----------
    cube, result : ndarray, (before, time, after)
    knots : ndarray, (n_knots, before, after)
    left, share : ndarray, (n_times,)
        The knot before every time, and the part of the way to the next.
    offset : float
        Taken from both before they are compared.
    how : int
        0 for the baseline itself, 1 for ``(F - F0) / (F0 - offset)``, 2 for its positive part.
    """
    n_knots = knots.shape[0]
    for b in range(cube.shape[0]):
        for t in range(first, last):
            low, high = knots[left[t], b], knots[min(left[t] + 1, n_knots - 1), b]
            part = share[t]
            if how == 0:
                for a in range(cube.shape[2]):
                    result[b, t, a] = low[a] + part * (high[a] - low[a])
                continue
            for a in range(cube.shape[2]):
                level = low[a] + part * (high[a] - low[a])
                change = (np.float64(cube[b, t, a]) - level) / (level - offset)
                result[b, t, a] = 0.0 if how == 2 and change <= 0.0 else change
