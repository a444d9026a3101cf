"""Non-negative quadratics, many small ones at once: the compiled core of the least squares.

Each row solves ``min_{w >= 0} w'Gw / 2 - c'w`` with its own or a shared Gram matrix G (k, k).
"""

from __future__ import annotations

import math

import numpy as np

from ..compute.compilation import compiled
from ..compute.types import Array

# Of a gradient in units of the right-hand side and the answer: some hundred times the rounding of
# float64, beyond which rows would go round for ever.
_ROUNDING = 1e-13
# Of a pivot, whose matrix has ones on its diagonal: below it a component is the sum of others, and
# what is left of it rounding.
_DEPENDENT = 1e-12


def solve_rows(grams: Array, C: Array, W: Array, max_rounds: int) -> int:
    """Solve all rows exactly, in place, from the W given.

    Coordinate descent finds the face, a Cholesky factorisation ends on it; the objective falls
    with every round, so that a wrong face cannot come back.

    Parameters
    ----------
    grams : ndarray, (1, k, k) or (m, k, k)
        Gram matrices, one for all rows or one each, float64.
    C : ndarray, (m, k)
        Linear terms.
    W : ndarray, (m, k), C order
        Where to start; overwritten by the solution.
    max_rounds : int
        Rounds of descent and factorisation a row may take.

    Returns
    -------
    int
        Rows that did not come to an end.
    """
    k = C.shape[1]
    grams, C = np.ascontiguousarray(grams), np.ascontiguousarray(C)
    square, lines, passive = np.empty((2, k, k)), np.empty((5, k)), np.empty(k, np.intp)
    return int(_solve(grams, C, W, square[0], square[1], lines, passive, max_rounds))


@compiled
def _solve(
    grams: Array,
    C: Array,
    W: Array,
    G: Array,
    factor: Array,
    lines: Array,
    passive: Array,
    max_rounds: int,
) -> int:
    """Solve row after row in arrays that were given for it; return how many did not end."""
    scale, c, w, gradient, target = lines[0], lines[1], lines[2], lines[3], lines[4]
    unfinished = 0
    for row in range(C.shape[0]):
        if row == 0 or grams.shape[0] > 1:
            _normalise(grams[row], G, scale)
        size = 0.0
        for j in range(c.size):
            c[j] = C[row, j] * scale[j]
            size = max(size, abs(c[j]))
            w[j] = max(0.0, W[row, j]) / scale[j] if scale[j] > 0.0 else 0.0
        sweeps, done = 5, False
        for _ in range(max_rounds):
            _descend(G, c, scale, w, gradient, sweeps)
            _solve_face(G, c, w, target, factor, passive)
            done = _move(G, c, scale, w, gradient, target, size)
            if done:
                break
            sweeps = 2
        if not done:
            unfinished += 1
        for j in range(c.size):
            W[row, j] = w[j] * scale[j]
    return unfinished


@compiled
def _normalise(gram: Array, G: Array, scale: Array) -> None:
    """Bring the diagonal to ones; a component without any gets scale 0 and stays out."""
    k = scale.size
    for j in range(k):
        scale[j] = 1.0 / math.sqrt(gram[j, j]) if gram[j, j] > 0.0 else 0.0
    for j in range(k):
        for i in range(k):
            G[j, i] = gram[j, i] * scale[j] * scale[i]


@compiled
def _descend(G: Array, c: Array, scale: Array, w: Array, gradient: Array, sweeps: int) -> None:
    """Sweep w, and leave the gradient where it came to."""
    _set_gradient(G, c, w, gradient)
    for _ in range(sweeps):
        for j in range(w.size):
            step = max(-w[j], -gradient[j])
            if scale[j] == 0.0 or step == 0.0:
                continue
            w[j] += step
            for i in range(w.size):
                gradient[i] += step * G[j, i]


@compiled
def _set_gradient(G: Array, c: Array, w: Array, gradient: Array) -> None:
    """Set the gradient at the non-negative part of w."""
    for i in range(w.size):
        gradient[i] = -c[i]
    for j in range(w.size):
        if w[j] > 0.0:
            for i in range(w.size):
                gradient[i] += w[j] * G[j, i]


@compiled
def _solve_face(G: Array, c: Array, w: Array, target: Array, factor: Array, passive: Array) -> None:
    """Go to the minimum over the components of w above zero; dependent ones are left out."""
    n = 0
    for j in range(w.size):
        target[j] = 0.0
        if not w[j] > 0.0:
            continue
        value, pivot = c[j], G[j, j]
        for a in range(n):
            entry = G[j, passive[a]]
            for b in range(a):
                entry -= factor[n, b] * factor[a, b]
            entry *= factor[a, a]
            factor[n, a] = entry
            pivot -= entry * entry
            value -= entry * target[passive[a]]
        if pivot > _DEPENDENT:
            factor[n, n] = 1.0 / math.sqrt(pivot)
            target[j] = value * factor[n, n]
            passive[n] = j
            n += 1
    for a in range(n - 1, -1, -1):
        value = target[passive[a]] * factor[a, a]
        target[passive[a]] = value
        for b in range(a):
            target[passive[b]] -= factor[a, b] * value


@compiled
def _move(
    G: Array, c: Array, scale: Array, w: Array, gradient: Array, target: Array, size: float
) -> bool:
    """Go to the minimum of the face, or as far as is allowed; say if that is the minimum of all."""
    weight, before, reach, inside = size, 0.0, 1.0, True
    for j in range(w.size):
        weight += w[j]
        before += w[j] * (gradient[j] - c[j])
    for j in range(w.size):
        if target[j] < 0.0:
            inside = inside and target[j] >= -1e-15 * weight
            reach = min(reach, w[j] / (w[j] - target[j]))
    _set_gradient(G, c, target, gradient)
    after = 0.0
    for j in range(w.size):
        after += max(0.0, target[j]) * (gradient[j] - c[j])
    lower = inside or after <= before
    for j in range(w.size):
        w[j] = max(0.0, target[j] if lower else w[j] + reach * (target[j] - w[j]))
    for j in range(w.size):
        if w[j] == 0.0 and scale[j] > 0.0 and gradient[j] < -_ROUNDING * weight:
            return False
    return inside


def negligible(G: Array) -> float:
    """Return the squared length up to which a row is rounding beside the longest one.

    Answers for such a row would be rounding over its length: each of several surplus rows would be
    as much longer than the one before as the dtype has digits.
    """
    longest = float(np.diagonal(G).max(initial=0))
    return longest * float(np.finfo(G.dtype).eps) ** 2
