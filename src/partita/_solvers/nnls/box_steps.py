"""Steps of coordinate descent on many box-constrained quadratics, compiled."""

from __future__ import annotations

import numpy as np

from ..compute.compilation import compiled
from ..compute.types import Array


@compiled
def descend_rows(
    packed: Array,
    slopes: Array,
    W: Array,
    free: Array,
    keep: float,
    max_sweeps: int,
    steps: Array,
) -> float:
    """Lower ``slope'd + d'Ad / 2`` over d for each row of W, by sweeps of coordinate descent.

    Parameters
    ----------
    packed : ndarray, (m, k (k + 1) / 2)
        Lower triangles of the matrices A, row by row.
    slopes : ndarray, (m, k)
        Gradients at W.
    W : ndarray, (m, k)
        Where the rows are.
    free : ndarray of bool, (k,)
        Components that may move.
    keep : float
        No entry falls below this share of itself.
    max_sweeps : int
        Sweeps at most; they end when a sweep's gain is below 1 % of the first one's.
    steps : ndarray, (m, k)
        Overwritten by the answers d.

    Returns
    -------
    float
        Squared projected gradient in the metric of the diagonals, all rows together.
    """
    m, k = W.shape
    kind = packed.dtype.type
    zero, share = kind(0), kind(keep - 1.0)
    A = np.empty((k, k), packed.dtype)
    q = np.empty(k, packed.dtype)
    gradient2 = 0.0
    for row in range(m):
        at = 0
        for i in range(k):
            for j in range(i + 1):
                A[i, j] = packed[row, at]
                A[j, i] = packed[row, at]
                at += 1
        for j in range(k):
            q[j] = slopes[row, j]
            steps[row, j] = zero
            if free[j] and A[j, j] > zero and (W[row, j] > zero or q[j] < zero):
                gradient2 += q[j] * (q[j] / A[j, j])
        first_gain = zero
        for sweep in range(max_sweeps):
            gain = zero
            for j in range(k):
                if not free[j]:
                    continue
                lowest = share * W[row, j] - steps[row, j]
                if A[j, j] > zero:
                    move = max(lowest, -q[j] / A[j, j])
                else:
                    move = lowest if q[j] > zero else zero
                if move == zero:
                    continue
                gain -= move * (q[j] + kind(0.5) * A[j, j] * move)
                steps[row, j] += move
                for i in range(k):
                    q[i] += move * A[j, i]
            if sweep == 0:
                first_gain = gain
            if gain <= kind(0.01) * first_gain:
                break
    return gradient2
