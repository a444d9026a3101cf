"""The two factors of a divergence fit, oriented and scaled for it, and how near they are.

Blocks of X are blocks of its longer side. `long` (p, k) is visited with them, `short` (n, k)
is whole at every block; which of the two is W, and in which units, is known here only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from ..compute.threads import Crew, single_blas
from ..compute.types import Array
from ..losses.beta_divergence import add_up, misfit_by_column, slope_and_curvature
from ..matrices.scaled import Data, prepare
from ..penalties.penalty import Extent, Penalty, Terms, frozen
from ..problem.problem import Problem
from ..problem.solution import Certificate, Solution, State
from ..problem.start import Start
from ..problem.stopping import Stopping
from .signals import Fall, refit

Progress = Iterator[tuple[float, float]]


_ROUNDING = {np.dtype(np.float32): 1e-3, np.dtype(np.float64): 1e-6}
_STEPS_TO_OPTIMUM = 5
_RETRY = 0.7


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
        return self.penalty.value(short.T, long.T)

    def leave(self) -> tuple[Array, Array]:
        """Return W (n, k) and H (k, p) in the units of X."""
        W, L = (self.long, self.short) if self.turned else (self.short, self.long)
        W = W / (self._inward[0] * self._balance)
        H = L * self._balance / self._inward[1]
        return W.astype(self.data.dtype), np.ascontiguousarray(H.T, dtype=self.data.dtype)

    def refit_signals(self) -> float:
        """Solve the signals for the maps as they are and return by how much the loss fell."""
        return self._refit(signals=True, copy=False, max_steps=200).reached

    def refit_apart(self) -> tuple[float, float]:
        """Return how much the loss would fall if W alone, and if H alone, were refit."""
        of_W = self._refit(signals=True, copy=True, max_steps=_STEPS_TO_OPTIMUM)
        of_H = self._refit(signals=False, copy=True, max_steps=_STEPS_TO_OPTIMUM)
        return sum(of_W), sum(of_H)

    def _refit(self, *, signals: bool, copy: bool, max_steps: int) -> Fall:
        of_long = signals is self.turned
        if of_long:
            data, other, rows, free = self.data, self.short, self.long, self.long_free
        else:
            data, other, rows, free = self.data.turned(), self.long, self.short, self.short_free
        rows = rows.copy() if copy else rows

        def terms_at(here: Array) -> Terms:
            return self.penalty.majorise(here.T, other.T, signals=not of_long)

        given = terms_at if self.penalty.active else None
        return refit(data, other, rows, given, free=free, max_steps=max_steps)


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
    stopping: Stopping,
) -> Solution:
    """Run a method to its end, solve the signals for the final maps, and certify.

    Parameters
    ----------
    sides : Sides
        Where to start; holds the factors that are best so far while the method runs.
    iterate : callable
        Given `sides` and whether the short factor is first, yields the loss of the scaled data
        and an estimate of the residual after each iteration.
    route : str
        The method's name in the report.
    first : {"W", "H"}
        Which factor moves first.
    stopping : Stopping
        When to end, and who watches.

    Returns
    -------
    Solution
        In the units of X.
    """
    tol, max_iter, watch = stopping.tol, stopping.max_iter, stopping.watch
    losses: list[float] = []
    converged = interrupted = False
    gate = tol
    progress = iterate(sides, short_first=(first == "W") is not sides.turned)
    try:
        for loss, estimate in progress:
            losses.append(loss / sides.data.unit)
            if watch is not None and watch(_state(sides, losses, estimate)):
                break
            if tol > 0 and estimate <= gate:
                converged = certify(sides, decreases=False).residual <= tol
                gate = _RETRY * estimate
            if converged or len(losses) >= max_iter:
                break
        progress.close()  # type: ignore[attr-defined]
        losses[-1] -= max(0.0, sides.refit_signals()) / sides.data.unit
        certificate = certify(sides)
    except KeyboardInterrupt:
        interrupted, converged = True, False
        certificate = certify(sides, decreases=False)
    W, H = sides.leave()
    dead = int(((W == 0).all(0) | (H == 0).all(1)).sum())
    report: dict[str, object] = {"route": route, "passes": len(losses), "dead": dead}
    return Solution(
        W, H, np.array(losses), len(losses), converged, interrupted, certificate, report,
        penalty=frozen(sides.bound, W.T, H),
    )  # fmt: skip


def certify(sides: Sides, *, decreases: bool = True) -> Certificate:
    """Measure how far each factor is from its optimum, at one point, in one pass.

    The residual of a factor is the root of ``sum(pg**2 / h)`` over its entries, with pg the
    projected gradient and h the diagonal of the expected Hessian, over the root of twice the
    loss. That root is floored where rounding would decide. The decreases are found by fitting
    each factor alone.
    """
    data, short, long = sides.data, sides.short, sides.long
    of_short, of_long = sides.pull(short, long)
    squares = short**2

    def visit(block: slice) -> tuple[float, float, float, Array, Array]:
        X, M = data.take(block)
        Y = np.maximum(short @ long[block].T, data.dtype.type(data.floor))
        slope, curvature = slope_and_curvature(X, Y, M, beta=data.beta, exact=False)
        loss = float(misfit_by_column(X, Y, M, beta=data.beta).sum())
        sizes = X**data.beta if M is None else M * X**data.beta
        of_block = (slope.T @ short, curvature.T @ squares)
        own = None if of_long is None else of_long.take(block)
        gradient2 = _gradient2(*of_block, long[block], own, sides.long_free)
        of_rows = (slope @ long[block], curvature @ long[block] ** 2)
        return loss, float(sizes.sum(dtype=np.float64)), gradient2, *of_rows

    with single_blas(), Crew() as crew:
        parts = crew.map(visit, data.blocks())
    slopes = add_up([part[3] for part in parts])
    diagonal = add_up([part[4] for part in parts])
    short2 = _gradient2(slopes, diagonal, short, of_short, sides.short_free)
    long2 = sum(part[2] for part in parts)
    loss = sum(part[0] for part in parts) + sides.penalise(short, long)
    floor = _ROUNDING[data.dtype] ** 2 * sum(part[1] for part in parts)
    misfit = math.sqrt(max(2 * loss, floor)) or 1.0
    of_W, of_H = (long2, short2) if sides.turned else (short2, long2)
    residuals = math.sqrt(of_W) / misfit, math.sqrt(of_H) / misfit
    if not decreases:
        return Certificate(*residuals, math.nan, math.nan)
    fall_W, fall_H = sides.refit_apart()
    relative = 2.0 / misfit**2
    return Certificate(*residuals, max(0.0, fall_W) * relative, max(0.0, fall_H) * relative)


def _gradient2(
    slopes: Array, diagonal: Array, rows: Array, terms: Terms | None, free: Array
) -> float:
    if terms is not None:
        slopes = slopes + terms.slope(rows.T).T
        diagonal = diagonal + terms.curvature().T
    pulled = np.where(rows > 0, slopes, np.minimum(slopes, 0))
    ratio = np.divide(pulled**2, diagonal, out=np.zeros_like(pulled), where=diagonal > 0)
    return float(ratio[:, free].sum(dtype=np.float64))


def _state(sides: Sides, losses: list[float], residual: float) -> State:
    W, H = sides.leave()
    return State(len(losses), losses[-1], residual, W, H)


def _scales(data: Data, penalty: Penalty, W: Array, L: Array) -> tuple[tuple[float, float], Array]:
    """Choose what W and H are multiplied by: to the scaled data, then to equal lengths."""
    if penalty.active and not penalty.scale_free:
        root = math.sqrt(data.scale)
        return (root, root), np.ones(W.shape[1])
    lengths = [np.linalg.norm(side.astype(np.float64), axis=0) for side in (W * data.scale, L)]
    alive = (lengths[0] > 0) & (lengths[1] > 0)
    ratio = np.divide(lengths[1], lengths[0], out=np.ones_like(lengths[0]), where=alive)
    return (data.scale, 1.0), 2.0 ** np.round(0.5 * np.log2(ratio))
