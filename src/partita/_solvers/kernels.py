"""The inner sweeps, compiled: cyclic coordinate descent on tiles of columns that stay in cache."""

from __future__ import annotations

import numpy as np

from .jit import compiled
from .objective import Array

_TILE = 256


@compiled
def sweep_columns(
    G: Array,
    C: Array,
    begin: Array,
    target: Array,
    old: Array,
    new: Array,
    first: int,
    last: int,
    rows: Array,
    beta: float,
    max_sweeps: int,
    ratio: float,
    measure: bool,
    curvature: float,
) -> tuple[float, float, float]:
    """Lower ``sum_c h_c' G h_c / 2 - C_c' h_c`` over h >= 0 for columns `first` to `last`.

    Parameters
    ----------
    G : ndarray, (k, k)
        Gram matrix of the other factor.
    C : ndarray, (k, last - first)
        The other factor times the data.
    begin : ndarray, (k, p)
        Where the sweeps start.
    target : ndarray, (k, p)
        Where the extrapolated answer goes.
    old, new : ndarray, (k, p)
        The answer before, and where this one goes; they may be one array.
    first, last : int
        The columns.
    rows : ndarray, (n_free,)
        Components to move; the others stay.
    beta : float
        Length of the extrapolation from `old` through `new`.
    max_sweeps : int
        Sweeps at most.
    ratio : float
        A tile is left when a sweep gains less than this share of the first one's gain.
    measure : bool
        Whether the gradient is measured.
    curvature : float
        Least eigenvalue of G with its diagonal scaled to ones; below 0 asks for no bound.

    Returns
    -------
    tuple of float
        Squared projected gradient in the metric of the diagonal of G at the start, decrease
        reached, and a bound on what is left after it.
    """
    k = G.shape[0]
    zero = G.dtype.type(0)
    step_length = G.dtype.type(beta)
    tile = np.empty((k, _TILE), G.dtype)
    work = np.empty(_TILE, G.dtype)
    gradient2, decrease, bound = 0.0, 0.0, 0.0
    for start in range(first, last, _TILE):
        m = min(_TILE, last - start)
        shift = start - first
        for j in range(k):
            for c in range(m):
                tile[j, c] = begin[j, start + c]
        if measure:
            gradient2 += _gradient_norm2(G, C, tile, work, rows, shift, m)
        gain_first = 0.0
        for sweep in range(max_sweeps):
            gain = zero
            for j in rows:
                diagonal = G[j, j]
                if diagonal <= zero:
                    continue
                _descent_direction(G, C, tile, work, j, shift, m)
                inverse = G.dtype.type(1) / diagonal
                row_gain = zero
                for c in range(m):
                    before = tile[j, c]
                    after = max(before + work[c] * inverse, zero)
                    move = after - before
                    row_gain += move * (work[c] + work[c] - diagonal * move)
                    tile[j, c] = after
                gain += row_gain
            decrease += 0.5 * gain
            if sweep == 0:
                gain_first = gain
            if gain <= ratio * gain_first:
                break
        if curvature >= 0.0:
            bound += _remaining(G, C, tile, work, rows, shift, m, curvature)
        for j in range(k):
            for c in range(m):
                value = tile[j, c]
                ahead = value + step_length * (value - old[j, start + c])
                new[j, start + c] = value
                target[j, start + c] = max(ahead, zero)
    return gradient2, decrease, bound


@compiled
def _descent_direction(
    G: Array, C: Array, tile: Array, work: Array, j: int, shift: int, m: int
) -> None:
    """Set `work` to minus the gradient of component j, four components at a time."""
    k = G.shape[0]
    for c in range(m):
        work[c] = C[j, shift + c]
    i = 0
    while i + 4 <= k:
        a, b, d, e = G[j, i], G[j, i + 1], G[j, i + 2], G[j, i + 3]
        for c in range(m):
            work[c] -= (a * tile[i, c] + b * tile[i + 1, c]) + (
                d * tile[i + 2, c] + e * tile[i + 3, c]
            )
        i += 4
    while i < k:
        a = G[j, i]
        for c in range(m):
            work[c] -= a * tile[i, c]
        i += 1


@compiled
def _gradient_norm2(
    G: Array, C: Array, tile: Array, work: Array, rows: Array, shift: int, m: int
) -> float:
    total = 0.0
    for j in rows:
        if G[j, j] <= 0.0:
            continue
        _descent_direction(G, C, tile, work, j, shift, m)
        squares = G.dtype.type(0)
        for c in range(m):
            uphill = min(work[c], G.dtype.type(0))
            free = work[c] if tile[j, c] > 0.0 else work[c] - uphill
            squares += free * free
        total += squares / G[j, j]
    return total


@compiled
def _remaining(
    G: Array,
    C: Array,
    tile: Array,
    work: Array,
    rows: Array,
    shift: int,
    m: int,
    curvature: float,
) -> float:
    """Bound the decrease left: each entry on its own, with the least curvature there is."""
    total = 0.0
    for j in rows:
        if G[j, j] <= 0.0:
            continue
        _descent_direction(G, C, tile, work, j, shift, m)
        stiffness = max(curvature, 1e-6) * G[j, j]
        for c in range(m):
            move = max(work[c] / stiffness, -tile[j, c])
            total += move * (work[c] - 0.5 * stiffness * move)
    return total


@compiled
def squared_distance(X: Array, Y: Array) -> float:
    """Return the sum of squared differences, added up in float64 row by row."""
    total = 0.0
    for i in range(X.shape[0]):
        row = 0.0
        for j in range(X.shape[1]):
            difference = X[i, j] - Y[i, j]
            row += difference * difference
        total += row
    return total
