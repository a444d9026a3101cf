"""Itakura-Saito and the other beta-divergences by multiplicative updates with extrapolation.

The updates minimise a majoriser (Fevotte & Idier 2011, doi:10.1162/NECO_a_00168: with the
exponent ``1 / (2 - beta)`` below beta 1), from a point that leaps ahead along what grew in the
last iteration (Hien, Leplat & Gillis 2025, block majorisation-minimisation with extrapolation).
A leap after which the loss is higher is taken back, so the losses never rise. Multiplied
entries never reach 0, so the end of a fit is second-order steps with Fisher's Hessian.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..compute.threads import Crew, single_blas
from ..compute.types import Array
from ..losses.beta_divergence import add_up, misfit_by_column
from ..penalties.penalty import Terms
from ..problem.problem import Problem
from ..problem.solution import Solution
from ..problem.start import Start
from ..problem.stopping import Stopping
from . import newton
from .factors import LANES, Progress, Sides, enter, finish

_GIVE_UP = 4  # rises in a row, the last three from the best factors: what is left is rounding
# A fall of the loss, relative, that counts as slow, and how many in a row end the way down: the
# residual of such a descent sinks too slowly to be waited for.
_SLOW, _PATIENCE = 3e-5, 5


class Visit(NamedTuple):
    """What one pass over X brings: the loss, the new long factor, and the short one's pulls."""

    loss: float
    new: Array
    gradient2: float
    attract: Array
    repel: Array


def solve(problem: Problem, start: Start, stopping: Stopping, *, warm: bool = False) -> Solution:
    """Factorise X ~ W @ H under any beta-divergence from 0 to 2, from the factors given.

    Parameters
    ----------
    problem : Problem
        Non-negative data; positive for beta 0 (see `matrices.scaled.fill_zeros`).
    start : Start
        Both factors, whole.
    stopping : Stopping
        When to end: each iteration is one pass over X.
    warm : bool, default False
        Whether the start is more than a guess: what has a higher loss is taken back.

    Returns
    -------
    Solution
        Its losses never rise.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> W, H = rng.random((30, 2)) + 0.1, rng.random((2, 50)) + 0.1
    >>> start = Start(W=np.ones((30, 2)) + W, H=np.ones((2, 50)) + H)
    >>> fit = solve(Problem(W @ H, 2, loss=0.0), start, Stopping(tol=1e-2))
    >>> bool((np.diff(fit.losses) <= 0).all())
    True
    """
    sides = enter(problem, start)
    return finish(
        sides,
        _multiply_then_step,
        route="multiplicative",
        first=start.first,
        warm=warm,
        stopping=stopping,
    )


def _multiply_then_step(sides: Sides, *, short_first: bool, best: float) -> Progress:
    """Multiply until the loss falls slowly, then end with steps that can reach zero."""
    before, slow = best, 0
    for loss, gradient2 in _multiply(sides, short_first=short_first, best=best):
        yield loss, gradient2
        slow = slow + 1 if before - loss < _SLOW * loss else 0
        before = loss
        if slow > _PATIENCE:
            break
    yield from newton.iterate(sides, short_first=short_first, best=before)


def _multiply(sides: Sides, *, short_first: bool, best: float) -> Progress:
    """Yield the loss and the squared gradient on the way, with the best factors in `sides`."""
    rises, age = 0, 1.0
    short, long = sides.lifted()  # a start that is the better for its zeros gets them back
    with single_blas(), Crew() as crew:
        if short_first:
            seen = _visit(sides, crew, short, long, hold=True)
            short = _step_short(sides, short, seen)[0]
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
            yield best, seen.gradient2 + gradient2


def _leap(now: Array, before: Array, length: float) -> Array:
    return np.asarray(now + now.dtype.type(length) * np.maximum(now - before, 0))


def _visit(sides: Sides, crew: Crew, short: Array, long: Array, *, hold: bool = False) -> Visit:
    """Update the long factor block by block and gather what the short one needs, in one pass."""
    data = sides.data
    terms = sides.pull(short, long)[1]
    new = np.empty_like(long)
    blocks = data.blocks()
    size = -(-len(blocks) // LANES)

    def run(lane: list[slice]) -> tuple[float, float, Array, Array]:
        attract, repel = np.zeros_like(short), np.zeros_like(short)
        loss = gradient2 = 0.0
        for block in lane:
            X, M = data.take(block)
            new[block] = long[block]
            if not hold:
                up, down = _pulls(X, _fit(short, long[block], data.floor), M, data.beta)
                own = None if terms is None else terms.take(block)
                new[block], part = _update(
                    up.T @ short, down.T @ short, long[block], own, sides.long_free, data.beta
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
    attract: Array, repel: Array, rows: Array, terms: Terms | None, free: Array, beta: float
) -> tuple[Array, float]:
    """Return the multiplied rows, and their squared gradient in the metric of the majoriser."""
    if terms is not None:
        attract, repel = _with_terms(attract, repel, rows, terms)
    ratio = np.divide(attract, repel, out=np.ones_like(rows), where=repel > 0)
    if beta < 1.0:
        ratio **= rows.dtype.type(1.0 / (2.0 - beta))
    ratio[:, ~free] = 1
    slope = repel - attract
    metric = np.divide(rows, repel, out=np.zeros_like(rows), where=repel > 0)
    gradient2 = float((slope**2 * metric)[:, free].sum(dtype=np.float64))
    return rows * ratio, gradient2


def _with_terms(attract: Array, repel: Array, rows: Array, terms: Terms) -> tuple[Array, Array]:
    """Add the slope of a penalty, what is negative of it to the pull."""
    linear, ridge = terms.linear.T, terms.ridge.T * rows
    if terms.gram is not None:
        ridge = ridge + rows @ np.maximum(terms.gram, 0)
        attract = attract + rows @ np.maximum(-terms.gram, 0)
    down, up = np.maximum(-linear, 0), np.maximum(linear, 0) + ridge
    return (attract + down).astype(rows.dtype), (repel + up).astype(rows.dtype)


def _step_short(sides: Sides, short: Array, seen: Visit) -> tuple[Array, float]:
    terms = sides.pull(short, seen.new)[0]
    return _update(seen.attract, seen.repel, short, terms, sides.short_free, sides.data.beta)
