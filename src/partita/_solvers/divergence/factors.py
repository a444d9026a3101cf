"""The two factors of a divergence fit, oriented and scaled for it, and how near they are.

Blocks of X are blocks of its longer side. `long` (p, k) is visited with them, `short` (n, k)
is whole at every block; which of the two is W, and in which units, is known here only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..compute.threads import Crew, single_blas
from ..compute.types import Array
from ..losses.beta_divergence import add_up, misfit_by_column, slope_and_curvature
from ..matrices.scaled import Data, prepare
from ..optimality.certificate import (
    Scale,
    Slack,
    certify,
    relative_gradient,
    scale_of,
    squared_gradient,
)
from ..optimality.stopping import APART, Rule
from ..penalties.penalty import Extent, Penalty, Terms, frozen
from ..problem.problem import Problem
from ..problem.solution import Certificate, Solution, State
from ..problem.start import Start
from ..problem.stopping import Stopping
from .signals import MOST_STEPS, Fall, refit

Progress = Iterator[tuple[float, float]]


LANES = 8
"""Runs of blocks, whatever the threads, so that sums are added up in the same order.

Threads beyond these have nothing to do.
"""

# By which the decrease is told that a factor alone could still bring: two tell the same to five
# digits at the end of a fit of fUSI-like data.
_STEPS_TO_OPTIMUM = 5
_ROUNDINGS = 4  # of a loss: up to 1.3 eps were seen, on 24 fits in float32 and float64


class Sides:
    """The present factors with the data they fit; a method moves `short` and `long`."""

    def __init__(
        self, data: Data, penalty: Penalty, short: Array, long: Array, held: Array | None
    ) -> None:
        p, n = long.shape[0], short.shape[0]
        every: Array = np.ones(short.shape[1], bool)
        free: Array = every if held is None else ~np.asarray(held, bool)
        self.turned = n > p
        n_all, p_all = data.X.shape
        self.bound = penalty.against(Extent(n_all, p_all, data.rms / data.scale, data.beta))
        self._inward, self._balance = _scales(data, self.bound, short, long)
        of_W, of_H = self._inward
        self.penalty = self.bound.scaled(W=1 / of_W, H=1 / of_H, loss=1 / data.unit)
        short = np.ascontiguousarray(short * of_W * self._balance, dtype=data.dtype)
        long = np.ascontiguousarray(long * of_H / self._balance, dtype=data.dtype)
        no_row, no_column = data.unseen()
        short[no_row] = 0
        long[np.ix_(no_column, free)] = 0
        self.data = data.turned() if self.turned else data
        self.short, self.long = (long, short) if self.turned else (short, long)
        self.short_free, self.long_free = (free, every) if self.turned else (every, free)
        if self.turned:
            self.penalty = self.penalty.turned

    def pull(self, short: Array, long: Array) -> tuple[Terms | None, Terms | None]:
        """Return the penalty as the short and as the long factor see it where they stand."""
        if not self.penalty.active:
            return None, None
        of_short = self.penalty.majorise(short.T, long.T, signals=True)
        return of_short, self.penalty.majorise(long.T, short.T, signals=False)

    def penalise(self, short: Array, long: Array) -> float:
        """Return what the penalty adds to the divergence of the scaled data."""
        return self.penalty.value(short.T, long.T) if self.penalty.active else 0.0

    def fitted(self, block: slice) -> Array:
        """Return what the factors as they are make of a block of X."""
        product = self.short @ self.long[block].T
        return np.asarray(np.maximum(product, self.data.dtype.type(self.data.floor), out=product))

    @cached_property
    def scale(self) -> Scale:
        """What the slack of the scaled data is compared with; costs a pass, once."""
        data, k = self.data, self.short.shape[1]

        def size(block: slice) -> float:
            X, M = data.take(block)
            sizes = X**data.beta if M is None else M * X**data.beta
            return float(sizes.sum(dtype=np.float64))

        with Crew() as crew:
            norm2 = math.fsum(crew.map(size, data.blocks()))
        bounded = data.beta == 2.0 and not self.penalty.active
        return scale_of(norm2, data.dtype, rows=k if bounded else 0)

    def loss(self) -> float:
        """Return the loss of the scaled data at the factors as they are, in one pass."""
        data = self.data

        def visit(block: slice) -> float:
            X, M = data.take(block)
            return float(misfit_by_column(X, self.fitted(block), M, beta=data.beta).sum())

        with single_blas(), Crew() as crew:
            misfit = math.fsum(crew.map(visit, data.blocks()))
        return misfit + self.penalise(self.short, self.long)

    def rounding(self, loss: float) -> float:
        """Return by how much two sums that are both this loss may differ."""
        least = 0.5 * self.scale.floor**2
        return _ROUNDINGS * float(np.finfo(self.data.dtype).eps) * max(loss, least)

    def leave(self) -> tuple[Array, Array]:
        """Return W (n, k) and H (k, p) in the units of X."""
        W, L = (self.long, self.short) if self.turned else (self.short, self.long)
        W = W / (self._inward[0] * self._balance)
        H = L * self._balance / self._inward[1]
        return W.astype(self.data.dtype), np.ascontiguousarray(H.T, dtype=self.data.dtype)

    def refit_signals(self) -> None:
        """Solve the signals for the maps as they are."""
        self._refit(signals=True, copy=False, ahead=True)

    @property
    def signals(self) -> Array:
        """W (n, k) in the scale of the work."""
        return self.long if self.turned else self.short

    def refit_apart(self) -> tuple[float, float]:
        """Return how much the loss would fall if W alone, and if H alone, were refit."""
        of_W = self._refit(signals=True, copy=True, max_steps=_STEPS_TO_OPTIMUM)
        of_H = self._refit(signals=False, copy=True, max_steps=_STEPS_TO_OPTIMUM)
        return sum(of_W), sum(of_H)

    def _refit(
        self, *, signals: bool, copy: bool, max_steps: int = MOST_STEPS, ahead: bool = False
    ) -> Fall:
        of_long = signals is self.turned
        if of_long:
            data, other, rows, free = self.data, self.short, self.long, self.long_free
        else:
            data, other, rows, free = self.data.turned(), self.long, self.short, self.short_free
        rows = rows.copy() if copy else rows

        def terms_at(here: Array) -> Terms:
            return self.penalty.majorise(here.T, other.T, signals=not of_long)

        given = terms_at if self.penalty.active else None
        return refit(data, other, rows, given, free=free, max_steps=max_steps, ahead=ahead)


def enter(problem: Problem, start: Start) -> Sides:
    """Orient and scale a problem; powers of two only, so that nothing is rounded."""
    assert start.W is not None
    assert start.H is not None
    data = prepare(problem.X, beta=problem.loss, weights=problem.weights)
    return Sides(data, problem.penalty, start.W, start.H.T, problem.held)


def finish(
    sides: Sides,
    iterate: Callable[..., Progress],
    *,
    route: str,
    first: str,
    warm: bool,
    stopping: Stopping,
) -> Solution:
    """Run a method to its end, solve the signals for the final maps, and certify.

    Parameters
    ----------
    sides : Sides
        Where to start; holds the factors that are best so far while the method runs.
    iterate : callable
        Given `sides`, whether the short factor is first and a loss that is not to be exceeded,
        yields the loss of the scaled data and the squared gradient on the way after each iteration.
    route : str
        The method's name in the report.
    first : {"W", "H"}
        Which factor moves first.
    warm : bool
        Whether the loss of the start is not to be exceeded.
    stopping : Stopping
        When to end, and who watches.

    Returns
    -------
    Solution
        In the units of X.
    """
    best = sides.loss() if warm else math.inf
    progress = iterate(sides, short_first=(first == "W") is not sides.turned, best=best)
    losses: list[float] = []
    try:
        stopping.enter("iterations")
        look = _descend(sides, progress, losses, stopping)
        stopping.enter("certificate")
        losses[-1] = min(losses[-1], look.loss)
        decreases, interrupted = sides.refit_apart(), False
    except KeyboardInterrupt:
        look, decreases, interrupted = _look(sides), (math.nan, math.nan), True
    certificate = look.certificate(sides.scale, decreases)
    W, H = sides.leave()
    dead = int(((W == 0).all(0) | (H == 0).all(1)).sum())
    report: dict[str, object] = {"route": route, "passes": len(losses), "dead": dead}
    converged = certificate.residual <= stopping.tol and not interrupted
    history = np.array(losses) / sides.data.unit
    return Solution(
        W, H, history, len(losses), converged, interrupted, certificate, report,
        penalty=frozen(sides.bound, W.T, H),
    )  # fmt: skip


class _Look(NamedTuple):
    """The loss of the scaled data, and the squared gradients of both factors there."""

    loss: float
    gradients: tuple[float, float]

    def certificate(
        self, scale: Scale, decreases: tuple[float, float] = (math.nan, math.nan)
    ) -> Certificate:
        of_W, of_H = (Slack(*pair) for pair in zip(self.gradients, decreases, strict=True))
        return certify(of_W, of_H, loss=self.loss, scale=scale)


def _descend(sides: Sides, progress: Progress, losses: list[float], stopping: Stopping) -> _Look:
    """Go on until the certificate holds with the signals solved for the maps; look at the end."""
    tol, watch = stopping.tol, stopping.watch
    rule, since = Rule(tol, sides.scale.floor), APART
    for loss, gradient2 in progress:
        losses.append(loss)
        since += 1
        estimate = relative_gradient(gradient2, loss, sides.scale, factors=2)
        if watch is not None and watch(_state(sides, losses, estimate)):
            break
        promising = tol > 0 and estimate <= rule.aim
        if promising or (tol > 0 and since >= APART and rule.is_near(losses)):
            look = _settled(sides, tol)
            if look is not None:
                return look
            rule, since = rule.tightened(estimate) if promising else rule.flattened(), 0
        if len(losses) >= stopping.max_iter:
            break
    sides.refit_signals()
    return _look(sides)


def _settled(sides: Sides, tol: float) -> _Look | None:
    """Solve the signals if the certificate holds before and after; else leave all as it is."""
    if _look(sides).certificate(sides.scale).residual > tol:
        return None
    before = sides.signals.copy()
    sides.refit_signals()
    look = _look(sides)
    if look.certificate(sides.scale).residual <= tol:
        return look
    sides.signals[...] = before
    return None


def _look(sides: Sides) -> _Look:
    """Measure the gradients of both factors at one point, in one pass."""
    data, short, long = sides.data, sides.short, sides.long
    of_short, of_long = sides.pull(short, long)
    squares = short**2

    def visit(block: slice) -> tuple[float, float, Array, Array]:
        X, M = data.take(block)
        Y = sides.fitted(block)
        slope, curvature = slope_and_curvature(X, Y, M, beta=data.beta, exact=False)
        loss = float(misfit_by_column(X, Y, M, beta=data.beta).sum())
        rows = long[block]
        own = None if of_long is None else of_long.take(block)
        of_block = _penalised(slope.T @ short, curvature.T @ squares, rows, own)
        gradient2 = squared_gradient(*of_block, rows, sides.long_free)
        return loss, gradient2, slope @ rows, curvature @ rows**2

    with single_blas(), Crew() as crew:
        parts = crew.map(visit, data.blocks())
    slopes, diagonal = add_up([part[2] for part in parts]), add_up([part[3] for part in parts])
    of_rows = _penalised(slopes, diagonal, short, of_short)
    short2 = squared_gradient(*of_rows, short, sides.short_free)
    long2 = sum(part[1] for part in parts)
    loss = sum(part[0] for part in parts) + sides.penalise(short, long)
    return _Look(loss, (long2, short2) if sides.turned else (short2, long2))


def _penalised(
    slopes: Array, diagonal: Array, rows: Array, terms: Terms | None
) -> tuple[Array, Array]:
    if terms is None:
        return slopes, diagonal
    return slopes + terms.slope(rows.T).T, diagonal + terms.curvature().T


def _state(sides: Sides, losses: list[float], residual: float) -> State:
    W, H = sides.leave()
    return State(len(losses), losses[-1] / sides.data.unit, residual, W, H)


def _scales(data: Data, penalty: Penalty, W: Array, L: Array) -> tuple[tuple[float, float], Array]:
    """Choose what W and H are multiplied by: to the scaled data, then to equal lengths."""
    if penalty.active and not penalty.scale_free:
        root = math.sqrt(data.scale)
        return (root, root), np.ones(W.shape[1])
    lengths = [np.linalg.norm(side.astype(np.float64), axis=0) for side in (W * data.scale, L)]
    alive = (lengths[0] > 0) & (lengths[1] > 0)
    ratio = np.divide(lengths[1], lengths[0], out=np.ones_like(lengths[0]), where=alive)
    return (data.scale, 1.0), 2.0 ** np.round(0.5 * np.log2(ratio))
