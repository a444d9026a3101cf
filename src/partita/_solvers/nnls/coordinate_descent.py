"""Non-negative quadratics that share their matrix, many at once in the lanes of a processor.

Where the matrix is well conditioned, coordinate descent alone comes to the minimum within
rounding after some twenty sweeps, and sweeps over a tile of rows are the cheapest there is. The
first of them are in float32, which runs twice as wide.
"""

from __future__ import annotations

import numpy as np

from ..compute.compilation import compiled
from ..compute.types import Array

# Rows at a time. 18 240 of them with thirty components take as long by 64 and by 256.
TILE = 128
_ROUGH_SWEEPS = 10  # in float32, at most: they run twice as wide
_ROUGHLY = float(np.finfo(np.float32).eps)  # float32 sweeps can move rows no less than this
_LEAST = 1e-300  # in place of no move at all, of which there is no logarithm


@compiled
def sweep_shared(
    G: Array,
    scale: Array,
    C: Array,
    W: Array,
    first: int,
    last: int,
    settled: float,
    max_sweeps: int,
) -> Array:
    """Solve rows `first` to `last` of ``min_{w >= 0} w'Aw / 2 - c'w`` by sweeps, in place.

    Parameters
    ----------
    G : ndarray, (k, k)
        The matrix A with its diagonal scaled to ones, float64.
    scale : ndarray, (k,)
        What that took: ``A[j, j]**-0.5``, or 0 for a component to leave out.
    C : ndarray, (m, k)
        Linear terms.
    W : ndarray, (m, k)
        Overwritten by where the sweeps came to.
    first, last : int
        The rows to solve.
    settled : float
        A tile has come to its end when a sweep moves it by less than this, relative to C.
    max_sweeps : int
        Sweeps in float64 at most; none is spent where they would not be enough.

    Returns
    -------
    ndarray of int
        First rows of the tiles that did not come to their end.
    """
    k = G.shape[0]
    rough_G = G.astype(np.float32)
    c, w, work, size = np.empty((k, TILE)), np.empty((k, TILE)), np.empty(TILE), np.empty(TILE)
    rough_c, rough_w = np.empty((k, TILE), np.float32), np.empty((k, TILE), np.float32)
    rough_work = np.empty(TILE, np.float32)
    left = np.empty((last - first) // TILE + 1, np.int64)
    n_left = 0
    for start in range(first, last, TILE):
        m = min(TILE, last - start)
        _load(C, scale, c, size, start, m)
        rough_c[:], rough_w[:] = c, 0.0
        before2 = moved2 = 1.0
        for _ in range(_ROUGH_SWEEPS):
            before2 = moved2
            moved2 = max(_LEAST, _sweep(rough_G, rough_c, rough_w, rough_work))
            if moved2 <= _ROUGHLY**2:
                break
        w[:] = rough_w
        rate = min(moved2 / before2, 0.999999)
        if np.log(settled**2 / moved2) / np.log(rate) <= max_sweeps:
            for _ in range(max_sweeps):
                moved2 = _sweep(G, c, w, work)
                if moved2 <= settled**2:
                    break
        if moved2 > settled**2:
            left[n_left] = start
            n_left += 1
        for lane in range(m):
            for j in range(k):
                W[start + lane, j] = w[j, lane] * scale[j] * size[lane]
    return left[:n_left]


@compiled
def _load(C: Array, scale: Array, c: Array, size: Array, start: int, m: int) -> None:
    """Bring rows to unit size and components to unit curvature."""
    c[:], size[:] = 0.0, 0.0
    for lane in range(m):
        for j in range(c.shape[0]):
            c[j, lane] = C[start + lane, j] * scale[j]
            size[lane] = max(size[lane], abs(c[j, lane]))
        if size[lane] > 0.0:
            inverse = 1.0 / size[lane]
            for j in range(c.shape[0]):
                c[j, lane] *= inverse


@compiled
def _sweep(G: Array, c: Array, w: Array, work: Array) -> float:
    """Set each component in turn to its minimum and return the squared length of all moves."""
    k = G.shape[0]
    zero = G.dtype.type(0)
    total = 0.0
    for j in range(k):
        for t in range(TILE):
            work[t] = c[j, t]
        i = 0
        while i + 6 <= k:
            g0, g1, g2 = G[j, i], G[j, i + 1], G[j, i + 2]
            g3, g4, g5 = G[j, i + 3], G[j, i + 4], G[j, i + 5]
            for t in range(TILE):
                work[t] -= (
                    (g0 * w[i, t] + g1 * w[i + 1, t])
                    + (g2 * w[i + 2, t] + g3 * w[i + 3, t])
                    + (g4 * w[i + 4, t] + g5 * w[i + 5, t])
                )
            i += 6
        while i < k:
            g0 = G[j, i]
            for t in range(TILE):
                work[t] -= g0 * w[i, t]
            i += 1
        moved2 = zero
        for t in range(TILE):
            after = max(w[j, t] + work[t], zero)
            move = after - w[j, t]
            moved2 += move * move
            w[j, t] = after
        total += moved2
    return total
