"""Non-negative quadratics, many small ones at once: the compiled core of the least squares.

Each row solves ``min_{w >= 0} w'Gw / 2 - c'w`` with its own or a shared Gram matrix G (k, k).
"""

from __future__ import annotations

import numpy as np

from ..compute.compilation import compiled
from ..compute.types import Array

# Of a gradient in units of the right-hand side and the answer: some hundred times the rounding of
# float64, beyond which rows would go round for ever.
_ROUNDING = 1e-13
# Of a pivot, whose matrix has ones on its diagonal: below it a component is the sum of others, and
# what is left of it rounding.
_DEPENDENT = 1e-12


@compiled
def solve_rows(grams: Array, C: Array, W: Array, first: int, last: int, max_rounds: int) -> int:
    """Solve rows `first` to `last` exactly, in place, from the W given.

    Coordinate descent finds the face, a Cholesky factorisation ends on it; the objective falls
    with every round, so that a wrong face cannot come back.

    Parameters
    ----------
    grams : ndarray, (1, k, k) or (m, k, k)
        Gram matrices, one for all rows or one each, float64.
    C : ndarray, (m, k)
        Linear terms.
    W : ndarray, (m, k)
        Where to start; overwritten by the solution.
    first, last : int
        The rows to solve.
    max_rounds : int
        Rounds of descent and factorisation a row may take.

    Returns
    -------
    int
        Rows that did not come to an end.
    """
    k = C.shape[1]
    G = np.empty((k, k))
    factor = np.empty((k, k))
    scale = np.empty(k)
    c, w, gradient, target = np.empty(k), np.empty(k), np.empty(k), np.empty(k)
    passive = np.empty(k, np.int64)
    unfinished = 0
    shared = grams.shape[0] == 1
    if shared:
        _normalise(grams[0], G, scale)
    for row in range(first, last):
        if not shared:
            _normalise(grams[row], G, scale)
        size = 0.0
        for j in range(k):
            c[j] = C[row, j] * scale[j]
            size = max(size, abs(c[j]))
            w[j] = max(0.0, W[row, j]) / scale[j] if scale[j] > 0.0 else 0.0
            gradient[j] = -c[j]
        for j in range(k):
            if w[j] > 0.0:
                for i in range(k):
                    gradient[i] += w[j] * G[j, i]
        done = False
        sweeps = 5
        for _ in range(max_rounds):
            _descend(G, scale, w, gradient, sweeps)
            done = _finish(G, c, scale, w, gradient, target, factor, passive, size)
            if done:
                break
            sweeps = 2
        if not done:
            unfinished += 1
        for j in range(k):
            W[row, j] = w[j] * scale[j]
    return unfinished


@compiled
def _normalise(gram: Array, G: Array, scale: Array) -> None:
    """Bring the diagonal to ones; a component without any gets scale 0 and stays out."""
    k = gram.shape[0]
    for j in range(k):
        scale[j] = 1.0 / np.sqrt(gram[j, j]) if gram[j, j] > 0.0 else 0.0
    for j in range(k):
        for i in range(k):
            G[j, i] = gram[j, i] * scale[j] * scale[i]


@compiled
def _descend(G: Array, scale: Array, w: Array, gradient: Array, sweeps: int) -> None:
    k = w.size
    for _ in range(sweeps):
        for j in range(k):
            if scale[j] == 0.0:
                continue
            step = max(-w[j], -gradient[j])
            if step == 0.0:
                continue
            w[j] += step
            for i in range(k):
                gradient[i] += step * G[j, i]


@compiled
def _finish(
    G: Array,
    c: Array,
    scale: Array,
    w: Array,
    gradient: Array,
    target: Array,
    factor: Array,
    passive: Array,
    size: float,
) -> bool:
    """Go to the minimum on the face of w and say whether it is the minimum of all."""
    k = w.size
    weight = size
    n_passive = 0
    before = 0.0
    for j in range(k):
        weight += w[j]
        before += w[j] * (gradient[j] - c[j])
        if w[j] > 0.0:
            passive[n_passive] = j
            n_passive += 1
    n_passive = _factorise(G, factor, passive, n_passive)
    _solve_face(factor, c, target, passive, n_passive)
    reach = 1.0
    inside = True
    for j in range(k):
        if target[j] < 0.0:
            inside = inside and target[j] >= -1e-15 * weight
            reach = min(reach, w[j] / (w[j] - target[j]))
    after = _evaluate(G, c, target, gradient)
    if inside or after <= before:
        for j in range(k):
            w[j] = max(0.0, target[j])
    else:
        for j in range(k):
            w[j] = max(0.0, w[j] + reach * (target[j] - w[j]))
        _evaluate(G, c, w, gradient)
    if not inside:
        return False
    for j in range(k):
        if w[j] == 0.0 and scale[j] > 0.0 and gradient[j] < -_ROUNDING * weight:
            return False
    return True


@compiled
def _evaluate(G: Array, c: Array, w: Array, gradient: Array) -> float:
    """Return twice the objective at the non-negative part of w, and set the gradient there."""
    k = w.size
    for i in range(k):
        gradient[i] = -c[i]
    for j in range(k):
        if w[j] > 0.0:
            for i in range(k):
                gradient[i] += w[j] * G[j, i]
    value = 0.0
    for j in range(k):
        value += max(0.0, w[j]) * (gradient[j] - c[j])
    return value


@compiled
def _factorise(G: Array, factor: Array, passive: Array, n_passive: int) -> int:
    """Factor the Gram matrix of the passive components; dependent ones are left out."""
    kept = 0
    for a in range(n_passive):
        j = passive[a]
        for b in range(kept):
            value = G[j, passive[b]]
            for m in range(b):
                value -= factor[kept, m] * factor[b, m]
            factor[kept, b] = value * factor[b, b]
        pivot = G[j, j]
        for m in range(kept):
            pivot -= factor[kept, m] * factor[kept, m]
        if pivot > _DEPENDENT:
            factor[kept, kept] = 1.0 / np.sqrt(pivot)
            passive[kept] = j
            kept += 1
    return kept


@compiled
def _solve_face(factor: Array, c: Array, target: Array, passive: Array, n_passive: int) -> None:
    target[:] = 0.0
    for a in range(n_passive):
        value = c[passive[a]]
        for m in range(a):
            value -= factor[a, m] * target[passive[m]]
        target[passive[a]] = value * factor[a, a]
    for a in range(n_passive - 1, -1, -1):
        value = target[passive[a]] * factor[a, a]
        target[passive[a]] = value
        for m in range(a):
            target[passive[m]] -= factor[a, m] * value


@compiled
def negligible(G: Array) -> float:
    """Return the squared length up to which a row is rounding beside the longest one.

    Answers for such a row would be rounding over its length: each of several surplus rows would be
    as much longer than the one before as the dtype has digits.
    """
    longest = G.dtype.type(0)
    for j in range(G.shape[0]):
        longest = max(longest, G[j, j])
    least: float = longest * np.finfo(G.dtype).eps ** 2
    return least
