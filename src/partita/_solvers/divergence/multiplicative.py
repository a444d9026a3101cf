"""Itakura-Saito and the other beta-divergences by multiplicative updates with extrapolation.

The updates minimise a majoriser (Fevotte & Idier 2011, doi:10.1162/NECO_a_00168: with the
exponent ``1 / (2 - beta)`` below beta 1), from a point that leaps ahead along what grew in the
last iteration (Hien, Leplat & Gillis 2025, block majorisation-minimisation with extrapolation).
A leap after which the loss is higher is taken back, so the losses never rise. Multiplied
entries never reach 0, so the end of a fit is second-order steps with Fisher's Hessian.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..compute.threads import Crew, single_blas
from ..compute.types import Array, RankOne
from ..losses.beta_divergence import add_up, misfit_by_column
from ..penalties.penalty import Penalty, Terms
from ..problem.solution import Solution, State
from . import newton
from .factors import Progress, Sides, enter, finish

_LANES = 8
_GIVE_UP = 4
_SLOW = 3e-5
_PATIENCE = 5


class Visit(NamedTuple):
    """What one pass over X brings: the loss, the new long factor, and the short one's pulls."""

    loss: float
    new: Array
    gradient2: float
    attract: Array
    repel: Array


def solve(
    X: Any,
    W: Array,
    H: Array,
    *,
    beta: float = 0.0,
    weights: Array | RankOne | None = None,
    penalty: Penalty | None = None,
    held: Array | None = None,
    first: str = "W",
    tol: float = 1e-3,
    max_iter: int = 500,
    watch: Callable[[State], bool | None] | None = None,
) -> Solution:
    """Factorise X ~ W @ H under any beta-divergence from 0 to 2, from the factors given.

    Parameters
    ----------
    X : ndarray or scipy.sparse matrix, (n, p)
        Non-negative data, float32 or float64; positive for beta 0 (see
        `divergence.fill_zeros`).
    W : ndarray, (n, k)
        Signals to start from; zeros stay zeros.
    H : ndarray, (k, p)
        Maps to start from; zeros stay zeros.
    beta : float, default 0.0
        Which divergence: 0 Itakura-Saito, 1 Kullback-Leibler, 2 squared error.
    weights : ndarray, (n, p), or tuple of ndarray, (n,) and (p,), optional
        A weight for each entry, or its two rank-one factors; where it is 0 the value of X is
        not looked at.
    penalty : Penalty, optional
        Strengths; none by default. The scale-free form multiplies them by ``rms**(beta - 2)``.
    held : ndarray of bool, (k,), optional
        Rows of H that stay as given.
    first : {"W", "H"}
        Which factor moves first.
    tol : float, default 1e-3
        Ends the fit when the optimality residual is at most this; 0 never does.
    max_iter : int, default 500
        Iterations at most, each one pass over X.
    watch : callable, optional
        Called with a State after each iteration; answering True ends the fit.

    Returns
    -------
    Solution
        Its losses never rise.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> W, H = rng.random((30, 2)) + 0.1, rng.random((2, 50)) + 0.1
    >>> fit = solve(W @ H, np.ones((30, 2)) + W, np.ones((2, 50)) + H, tol=1e-2)
    >>> bool((np.diff(fit.losses) <= 0).all())
    True
    """
    sides = enter(X, W, H, beta=beta, weights=weights, penalty=penalty, held=held)
    return finish(
        sides,
        _multiply_then_step,
        route="multiplicative",
        first=first,
        tol=tol,
        max_iter=max_iter,
        watch=watch,
    )


def _multiply_then_step(sides: Sides, *, short_first: bool) -> Progress:
    """Multiply until the loss falls slowly, then end with steps that can reach zero."""
    before, slow = math.inf, 0
    for loss, residual in _multiply(sides, short_first=short_first):
        yield loss, residual
        slow = slow + 1 if before - loss < _SLOW * loss else 0
        before = loss
        if slow > _PATIENCE:
            break
    yield from newton.iterate(sides, short_first=short_first, best=before)


def _multiply(sides: Sides, *, short_first: bool) -> Progress:
    """Yield the loss and an estimate of the residual, with the best factors in `sides`."""
    best, rises, age = math.inf, 0, 1.0
    short, long = sides.short, sides.long
    with single_blas(), Crew() as crew:
        if short_first:
            seen = _visit(sides, crew, short, long, hold=True)
            short = sides.short = _step_short(sides, short, seen)[0]
        while rises < _GIVE_UP:
            seen = _visit(sides, crew, short, long)
            if seen.loss > best:
                rises, age = rises + 1, 1.0
                short, long = sides.short, sides.long
                yield best, math.inf
                continue
            older = 0.5 * (1.0 + math.sqrt(1.0 + 4.0 * age**2))
            leap, age, rises = (age - 1.0) / older, older, 0
            best, before = seen.loss, (sides.short, sides.long)
            sides.short, sides.long = short, seen.new
            moved, gradient2 = _step_short(sides, short, seen)
            short = _leap(moved, before[0], leap)
            long = _leap(seen.new, before[1], leap)
            yield best, math.sqrt((seen.gradient2 + gradient2) / max(2 * best, 1e-300))


def _leap(now: Array, before: Array, length: float) -> Array:
    return np.asarray(now + now.dtype.type(length) * np.maximum(now - before, 0))


def _visit(sides: Sides, crew: Crew, short: Array, long: Array, *, hold: bool = False) -> Visit:
    """Update the long factor block by block and gather what the short one needs, in one pass."""
    data = sides.data
    terms = sides.pull(short, long)[1]
    new = np.empty_like(long)
    blocks = data.blocks()
    size = -(-len(blocks) // _LANES)

    def run(lane: list[slice]) -> tuple[float, float, Array, Array]:
        attract, repel = np.zeros_like(short), np.zeros_like(short)
        loss = gradient2 = 0.0
        for block in lane:
            X, M = data.take(block)
            new[block] = long[block]
            if not hold:
                up, down = _pulls(X, _fit(short, long[block], data.floor), M, data.beta)
                new[block], part = _update(
                    up.T @ short, down.T @ short, long[block], terms, sides.long_free, data.beta
                )
                gradient2 += part
            Y = _fit(short, new[block], data.floor)
            loss += float(misfit_by_column(X, Y, M, beta=data.beta).sum())
            up, down = _pulls(X, Y, M, data.beta)
            attract += up @ new[block]
            repel += down @ new[block]
        return loss, gradient2, attract, repel

    lanes = [blocks[a : a + size] for a in range(0, len(blocks), size)]
    parts = crew.map(run, lanes)
    attract = add_up([part[2] for part in parts]).astype(short.dtype)
    repel = add_up([part[3] for part in parts]).astype(short.dtype)
    loss = sum(part[0] for part in parts) + sides.penalise(short, new)
    return Visit(loss, new, sum(part[1] for part in parts), attract, repel)


def _fit(short: Array, rows: Array, floor: float) -> Array:
    Y = short @ rows.T
    np.maximum(Y, Y.dtype.type(floor), out=Y)
    return Y


def _pulls(X: Array, Y: Array, M: Array | None, beta: float) -> tuple[Array, Array]:
    """Return the two parts of the slope, ``m x y**(beta - 2)`` and ``m y**(beta - 1)``."""
    power = np.power(Y, Y.dtype.type(beta - 2.0)) if beta else 1.0 / np.square(Y)
    if M is not None:
        power *= M
    Y *= power
    power *= X
    return power, Y


def _update(
    attract: Array, repel: Array, rows: Array, terms: Terms, free: Array, beta: float
) -> tuple[Array, float]:
    """Return the multiplied rows, and their squared gradient in the metric of the majoriser."""
    repel = repel + (terms.linear + terms.ridge * rows).astype(rows.dtype)
    ratio = np.divide(attract, repel, out=np.ones_like(rows), where=repel > 0)
    if beta < 1.0:
        ratio **= rows.dtype.type(1.0 / (2.0 - beta))
    ratio[:, ~free] = 1
    slope = repel - attract
    metric = np.divide(rows, repel, out=np.zeros_like(rows), where=repel > 0)
    gradient2 = float((slope**2 * metric)[:, free].sum(dtype=np.float64))
    return rows * ratio, gradient2


def _step_short(sides: Sides, short: Array, seen: Visit) -> tuple[Array, float]:
    terms = sides.pull(short, seen.new)[0]
    return _update(seen.attract, seen.repel, short, terms, sides.short_free, sides.data.beta)
