"""The inner sweeps: cyclic coordinate descent, compiled, on tiles of columns that stay in cache."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..compute.compilation import compiled
from ..compute.types import Array
from ..nnls.active_set import negligible
from ..optimality.certificate import squared_gradient

_TILE = 256  # columns swept at a time; 128 and 512 take as long
_MEASURED = 4096  # columns measured at a time; half and twice as many take as long


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
    G, rows, beta = factor.G, manner.rows, factor.G.dtype.type(manner.beta)
    diagonal = np.diagonal(G)
    rows = rows[diagonal[rows] > negligible(G)]
    inverses = np.divide(1, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0)
    scratch = np.empty((len(G) + 1, _TILE), G.dtype)
    gradient2 = _gradient_norm2(C, factor, rows, first, last) if manner.measure else 0.0
    decrease = _sweep(
        C, *factor, rows, inverses, first, last, beta, manner.most, manner.ratio, scratch
    )  # one by one: for a tuple numba takes as long as for some sweeps
    left = 0.0
    if manner.curvature >= 0.0:
        left = _remaining(C, factor, rows, first, last, manner.curvature)
    return np.array([gradient2, decrease, left])


@compiled
def _sweep(
    C: Array,
    G: Array,
    begin: Array,
    target: Array,
    old: Array,
    new: Array,
    ridge: Array,
    rows: Array,
    inverses: Array,
    first: int,
    last: int,
    beta: float,
    most: int,
    ratio: float,
    scratch: Array,
) -> float:
    """Sweep tile by tile in `scratch`, whose last row is for the slopes; return the decrease."""
    k, wide = G.shape[0], scratch.shape[1]
    work, zero, total = scratch[k], G.dtype.type(0), 0.0
    for start in range(first, last, wide):
        m, shift = min(wide, last - start), start - first
        for j in range(k):
            here, given = scratch[j], begin[j, start : start + m]
            for c in range(m):
                here[c] = given[c]
        gain_first = zero
        for sweep in range(most):
            gain = zero
            for j in rows:
                linear = C[j, shift : shift + m]
                for c in range(m):
                    work[c] = linear[c]
                for i in range(0, k - 3, 4):
                    a, b, d, e = G[j, i], G[j, i + 1], G[j, i + 2], G[j, i + 3]
                    t0, t1, t2, t3 = scratch[i], scratch[i + 1], scratch[i + 2], scratch[i + 3]
                    for c in range(m):
                        work[c] -= (a * t0[c] + b * t1[c]) + (d * t2[c] + e * t3[c])
                for i in range(k - k % 4, k):
                    a, t0 = G[j, i], scratch[i]
                    for c in range(m):
                        work[c] -= a * t0[c]
                here, row_gain = scratch[j], zero
                diagonal, inverse = G[j, j], inverses[j]
                if ridge.size > 0:
                    own = ridge[j, start : start + m]
                    for c in range(m):
                        stiffness, was = diagonal + own[c], here[c]
                        slope = work[c] - own[c] * was
                        after = was + slope / stiffness
                        after = after if after > zero else zero
                        move = after - was
                        row_gain += move * (slope + slope - stiffness * move)
                        here[c] = after
                else:
                    for c in range(m):
                        was = here[c]
                        after = was + work[c] * inverse
                        after = after if after > zero else zero
                        move = after - was
                        row_gain += move * (work[c] + work[c] - diagonal * move)
                        here[c] = after
                gain += row_gain
            total += 0.5 * gain
            if sweep == 0:
                gain_first = gain
            if gain <= ratio * gain_first:
                break
        for j in range(k):
            here, before = scratch[j], old[j, start : start + m]
            ahead, answer = target[j, start : start + m], new[j, start : start + m]
            for c in range(m):
                point = here[c] + beta * (here[c] - before[c])
                ahead[c] = point if point > zero else zero
            for c in range(m):  # apart, as they may be one array
                answer[c] = here[c]
    return total


class _Slopes(NamedTuple):
    """Gradient of some rows and columns of a factor, their ridge, and where they are."""

    slopes: Array
    ridge: Array
    at: Array


def _slopes(
    C: Array, factor: Moving, whole: Array, rows: Array, first: int, last: int
) -> Iterator[_Slopes]:
    """Give the gradient at the columns `first` to `last` of `whole`, some columns at a time."""
    for start in range(first, last, _MEASURED):
        here = slice(start, min(start + _MEASURED, last))
        at = whole[rows, here]
        slopes = factor.G[rows] @ whole[:, here] - C[rows, here.start - first : here.stop - first]
        ridge = factor.ridge[rows, here] if factor.ridge.size else np.zeros((1, 1), at.dtype)
        yield _Slopes(slopes + ridge * at, ridge, at)


def _gradient_norm2(C: Array, factor: Moving, rows: Array, first: int, last: int) -> float:
    diagonal, free = np.diagonal(factor.G)[rows, None], np.ones(len(rows), bool)
    return sum(
        squared_gradient(slopes.T, (diagonal + ridge).T, at.T, free)
        for slopes, ridge, at in _slopes(C, factor, factor.begin, rows, first, last)
    )


def _remaining(
    C: Array, factor: Moving, rows: Array, first: int, last: int, curvature: float
) -> float:
    """Bound the decrease left: each entry on its own, with the least curvature there is."""
    least = factor.G.dtype.type(max(curvature, 1e-6)) * np.diagonal(factor.G)[rows, None]
    total = 0.0
    for slopes, ridge, at in _slopes(C, factor, factor.new, rows, first, last):
        stiffness = least + ridge
        move = np.maximum(-slopes / stiffness, -at)
        total -= float((move * (slopes + 0.5 * stiffness * move)).sum(dtype=np.float64))
    return total
