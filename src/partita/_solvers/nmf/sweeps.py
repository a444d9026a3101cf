"""The inner sweeps, compiled: cyclic coordinate descent on tiles of columns that stay in cache."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..compute.compilation import compiled
from ..compute.types import Array
from ..matrices.tile_products import (
    PANEL,
    add_inner_products,
    combine_rows,
    combine_turned,
    spread_turned,
)
from ..nnls.active_set import negligible

_TILE = PANEL // 2  # columns swept at a time; 128 and 512 take as long


class Moving(NamedTuple):
    """A factor that moves, and the curvature it moves in.

    Parameters
    ----------
    G : ndarray, (k, k)
        Gram matrix of the other factor.
    begin : ndarray, (k, p)
        Where the sweeps start.
    target : ndarray, (k, p)
        Where the extrapolated answer goes.
    old, new : ndarray, (k, p)
        The answer before, and where this one goes; they may be one array.
    ridge : ndarray, (k, p) or (0, 1)
        What each entry adds to the curvature of its own; nothing where empty.
    """

    G: Array
    begin: Array
    target: Array
    old: Array
    new: Array
    ridge: Array


class Manner(NamedTuple):
    """How it moves.

    Parameters
    ----------
    rows : ndarray, (n_free,)
        Components to move; the others stay.
    beta : float
        Length of the extrapolation from `old` through `new`.
    most : int
        Sweeps at most.
    ratio : float
        A tile is left when a sweep gains less than this share of the first one's gain.
    measure : bool
        Whether the gradient is measured.
    curvature : float
        Least eigenvalue of G with its diagonal scaled to ones; below 0 asks for no bound.
    """

    rows: Array
    beta: float
    most: int
    ratio: float
    measure: bool
    curvature: float


@compiled
def sweep_columns(C: Array, factor: Moving, first: int, last: int, manner: Manner) -> Array:
    """Lower ``sum_c h_c' G h_c / 2 - C_c' h_c`` over h >= 0 for columns `first` to `last`.

    Parameters
    ----------
    C : ndarray, (k, last - first)
        The other factor times the data.
    factor : Moving
        The columns h, and G.
    first, last : int
        The columns.
    manner : Manner
        How long to sweep and how far to extrapolate.

    Returns
    -------
    ndarray of float, (3,)
        Squared projected gradient in the metric of the diagonal of G at the start, decrease
        reached, and a bound on what is left after it.
    """
    G = factor.G
    tile = np.empty((G.shape[0], _TILE), G.dtype)
    work = np.empty(_TILE, G.dtype)
    figures = np.zeros(3)
    for start in range(first, last, _TILE):
        m = min(_TILE, last - start)
        _solve_tile(C, factor, start, start - first, m, manner, tile, work, figures)
    return figures


@compiled
def visit_columns(
    X: Array,
    turned: bool,
    S: Array,
    shift: Array,
    weights: Array,
    scale: float,
    factor: Moving,
    first: int,
    last: int,
    manner: Manner,
    gather: bool,
    A: Array,
    B: Array,
) -> Array:
    """Do what `sweep_columns` does with C = S @ X - shift, and gather the products for S.

    A tile of X is multiplied, its answers are found and its products with them are gathered while
    it is in cache.

    Parameters
    ----------
    X : ndarray, (n, p), or (p, n) where `turned`; C order
        Data.
    turned : bool
        Whether X lies column by column.
    S : ndarray, (at least k, n)
        The other factor, weighted; its rows in fours.
    shift : ndarray, (k, p), (k, 1) or (0, 1)
        Subtracted from ``S @ X``; nothing where empty.
    weights : ndarray, (p,) or (0,)
        Weights of the columns; none where empty.
    scale : float
        X counts as ``scale * X`` in A.
    factor, first, last, manner
        As in `sweep_columns`.
    gather : bool
        Whether A and B are wanted.
    A : ndarray, (n, at least k), or its transpose where `turned`; float64
        ``scale * X @ target.T`` of these columns is added, components in fours.
    B : ndarray, (at least k, at least k), float64
        ``target @ target.T`` of these columns is added, components in fours.

    Returns
    -------
    ndarray of float, (3,)
        As of `sweep_columns`.
    """
    G, target = factor.G, factor.target
    k, fours = G.shape[0], S.shape[0]
    C = np.zeros((fours, PANEL), G.dtype)
    given = np.zeros((fours, PANEL), G.dtype)
    plain, weighted = np.zeros((fours, PANEL)), np.zeros((fours, PANEL))
    part = np.empty((fours, PANEL), G.dtype)
    tile = np.empty((k, _TILE), G.dtype)
    work = np.empty(_TILE, G.dtype)
    figures = np.zeros(3)
    unit = G.dtype.type(scale)
    origin = first - first  # no literal: for that the products would be compiled once more
    for start in range(first, last, PANEL):
        width = min(PANEL, last - start)
        if turned:
            combine_turned(S, X, start, width, C)
        else:
            combine_rows(S, X, start, width, C)
        each = 0 if shift.shape[1] == 1 else 1
        for j in range(shift.shape[0]):
            for c in range(width):
                C[j, c] -= shift[j, each * (start + c)]
        for offset in range(0, width, _TILE):
            m = min(_TILE, width - offset)
            _solve_tile(C, factor, start + offset, offset, m, manner, tile, work, figures)
        if not gather:
            continue
        for j in range(k):
            answer = target[j, start : start + width]
            for c in range(width):
                plain[j, c] = weighted[j, c] = answer[c]
                given[j, c] = answer[c] * unit
            if weights.size > 0:
                weight = weights[start : start + width]
                for c in range(width):
                    weighted[j, c] *= weight[c]
                    given[j, c] *= weight[c]
        add_inner_products(weighted, origin, plain, origin, width, B)
        if turned:
            spread_turned(X, start, width, given, part, A)
        else:
            add_inner_products(X, start, given, origin, width, A)
    return figures


@compiled
def _solve_tile(
    C: Array,
    factor: Moving,
    start: int,
    shift: int,
    m: int,
    manner: Manner,
    tile: Array,
    work: Array,
    figures: Array,
) -> None:
    """Sweep m columns from `start`, whose linear terms are in C from `shift`."""
    G, rows, k = factor.G, manner.rows, factor.G.shape[0]
    zero, least = G.dtype.type(0), negligible(G)
    step_length = G.dtype.type(manner.beta)
    stop, ridged = start + m, factor.ridge.shape[0] > 0
    for j in range(k):
        here, begin = tile[j], factor.begin[j, start:stop]
        for c in range(m):
            here[c] = begin[c]
    if manner.measure:
        figures[0] += _gradient_norm2(factor, C, tile, work, rows, start, shift, m)
    gain_first = zero
    for sweep in range(manner.most):
        gain = zero
        for j in rows:
            diagonal = G[j, j]
            if diagonal <= least:
                continue
            _descent_direction(G, C, tile, work, j, shift, m)
            here, row_gain = tile[j], zero
            if ridged:
                gain += _move_ridged(diagonal, factor.ridge[j, start:stop], here, work, m)
                continue
            inverse = G.dtype.type(1) / diagonal
            for c in range(m):
                before = here[c]
                after = max(before + work[c] * inverse, zero)
                move = after - before
                row_gain += move * (work[c] + work[c] - diagonal * move)
                here[c] = after
            gain += row_gain
        figures[1] += 0.5 * gain
        if sweep == 0:
            gain_first = gain
        if gain <= manner.ratio * gain_first:
            break
    if manner.curvature >= 0.0:
        figures[2] += _remaining(factor, C, tile, work, rows, start, shift, m, manner.curvature)
    for j in range(k):
        here, old, new = tile[j], factor.old[j, start:stop], factor.new[j, start:stop]
        target = factor.target[j, start:stop]
        for c in range(m):
            target[c] = max(here[c] + step_length * (here[c] - old[c]), zero)
        for c in range(m):  # apart, as they may be one array
            new[c] = here[c]


@compiled
def _move_ridged(diagonal: float, ridge: Array, here: Array, work: Array, m: int) -> float:
    """Move a component whose entries have a curvature each; return twice the gain."""
    zero = here.dtype.type(0)
    gain: float = zero
    for c in range(m):
        stiffness, before = diagonal + ridge[c], here[c]
        slope = work[c] - ridge[c] * before
        after = max(before + slope / stiffness, zero)
        move = after - before
        gain += move * (slope + slope - stiffness * move)
        here[c] = after
    return gain


@compiled
def _descent_direction(
    G: Array, C: Array, tile: Array, work: Array, j: int, shift: int, m: int
) -> None:
    """Set `work` to minus the gradient of component j, four components at a time."""
    k, linear = G.shape[0], C[j, shift : shift + m]
    for c in range(m):
        work[c] = linear[c]
    i = 0
    while i + 4 <= k:
        a, b, d, e = G[j, i], G[j, i + 1], G[j, i + 2], G[j, i + 3]
        t0, t1, t2, t3 = tile[i], tile[i + 1], tile[i + 2], tile[i + 3]
        for c in range(m):
            work[c] -= (a * t0[c] + b * t1[c]) + (d * t2[c] + e * t3[c])
        i += 4
    while i < k:
        a, t0 = G[j, i], tile[i]
        for c in range(m):
            work[c] -= a * t0[c]
        i += 1


@compiled
def _gradient_norm2(
    factor: Moving, C: Array, tile: Array, work: Array, rows: Array, start: int, shift: int, m: int
) -> float:
    G = factor.G
    total, least, zero = 0.0, negligible(G), G.dtype.type(0)
    for j in rows:
        if G[j, j] <= least:
            continue
        _descent_direction(G, C, tile, work, j, shift, m)
        here, squares = tile[j], zero
        if factor.ridge.shape[0] > 0:
            total += _ridged_norm2(G[j, j], factor.ridge[j, start : start + m], here, work, m)
            continue
        for c in range(m):
            uphill = min(work[c], zero)
            free = work[c] if here[c] > 0.0 else work[c] - uphill
            squares += free * free
        total += squares / G[j, j]
    return total


@compiled
def _ridged_norm2(diagonal: float, ridge: Array, here: Array, work: Array, m: int) -> float:
    total = 0.0
    for c in range(m):
        slope = work[c] - ridge[c] * here[c]
        if here[c] > 0.0 or slope > 0.0:
            total += slope * slope / (diagonal + ridge[c])
    return total


@compiled
def _remaining(
    factor: Moving,
    C: Array,
    tile: Array,
    work: Array,
    rows: Array,
    start: int,
    shift: int,
    m: int,
    curvature: float,
) -> float:
    """Bound the decrease left: each entry on its own, with the least curvature there is."""
    G, total = factor.G, 0.0
    least = negligible(G)
    for j in rows:
        if G[j, j] <= least:
            continue
        _descent_direction(G, C, tile, work, j, shift, m)
        stiffness, here = max(curvature, 1e-6) * G[j, j], tile[j]
        if factor.ridge.shape[0] > 0:
            total += _ridged_rest(stiffness, factor.ridge[j, start : start + m], here, work, m)
            continue
        for c in range(m):
            move = max(work[c] / stiffness, -here[c])
            total += move * (work[c] - 0.5 * stiffness * move)
    return total


@compiled
def _ridged_rest(stiffness: float, ridge: Array, here: Array, work: Array, m: int) -> float:
    total = 0.0
    for c in range(m):
        slope, stiff = work[c] - ridge[c] * here[c], stiffness + ridge[c]
        move = max(slope / stiff, -here[c])
        total += move * (slope - 0.5 * stiff * move)
    return total
