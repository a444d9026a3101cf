"""The end of a fit: exact signals, and how far both factors are from their optimum."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..compute.types import Array
from ..matrices.blocks import Dense
from ..matrices.products import squared_distance
from ..nnls.active_set import negligible, solve_rows
from ..problem.problem import Problem, Visit, products_of
from ..problem.solution import Certificate
from .block_update import Sweeps, evaluate, penalise, penalty_of, solve_short, visit
from .hals import Descent, relative_gradient

_TO_THE_END = Sweeps(most=400, ratio=1e-9)
_MEASURE = Sweeps(most=20, ratio=1e-3, measure=True, bound=True, gather=False)
_MAJORISATIONS = 12


class Finish(NamedTuple):
    """The certificate at the final factors, and the loss there from the residual itself."""

    certificate: Certificate
    loss: float


def unfinished(descent: Descent) -> Finish:
    """Return what can be said of factors whose data are not read any more: at most a loss."""
    loss = descent.losses[-1] if descent.losses else math.nan
    return Finish(Certificate(math.nan, math.nan, math.nan, math.nan), loss)


def finish(descent: Descent, *, signals_short: bool) -> Finish:
    """Solve the signals exactly for the maps at hand and measure both factors there.

    Parameters
    ----------
    descent : Descent
        The fit; its signals are replaced.
    signals_short : bool
        Whether the signals are the short factor.

    Returns
    -------
    Finish
        Residuals, possible decreases and the loss.
    """
    problem, S, L = descent.problem, descent.S, descent.L
    if signals_short:
        seen = descent.seen if descent.seen is not None else products_of(problem, L.ahead)
        solve_exactly(problem, S.ahead, seen, L.ahead)
    else:
        L.restart()
        seen = visit(problem, S.ahead, L, _TO_THE_END)
    descent.seen = seen
    of_L = visit(problem, S.ahead, L.scratch(), _MEASURE)
    of_S = solve_short(problem, S.scratch(), seen, L.ahead, _MEASURE._replace(most=200))
    S.restart()
    L.restart()
    loss = exact_loss(problem, S.ahead, L.ahead, seen)
    pair = [_figures(problem, figures, loss, len(S.ahead)) for figures in (of_S, of_L)]
    (W_residual, W_decrease), (H_residual, H_decrease) = pair if signals_short else pair[::-1]
    return Finish(Certificate(W_residual, H_residual, W_decrease, H_decrease), loss)


def solve_exactly(problem: Problem, S: Array, seen: Visit, L: Array) -> None:
    """Replace the free rows of S by the least-squares answer for L, exact to rounding.

    Rows of L that are rounding beside the longest get zeros.
    """
    counts = np.diagonal(seen.B)[problem.S_free] > negligible(seen.B)
    free = problem.S_free[counts]
    S[problem.S_free[~counts]] = 0
    grouped = problem.penalty.active and problem.penalty.scale_free
    for _ in range(_MAJORISATIONS if grouped else 1):
        gram, shift = penalise(problem, seen.B, L, S, of_long=False, dtype=np.dtype(float))
        C = seen.A if shift is None else seen.A - shift
        held = np.setdiff1d(np.arange(S.shape[0]), free)
        C = C[free] - gram[np.ix_(free, held)] @ S[held]
        rows = np.ascontiguousarray(S[free].T, np.float64)
        grams = np.ascontiguousarray(gram[np.ix_(free, free)])[None]
        solve_rows(grams, np.ascontiguousarray(C.T), rows, 0, rows.shape[0], 100)
        S[free] = rows.T


def exact_loss(problem: Problem, S: Array, L: Array, seen: Visit) -> float:
    """Return the loss at (S, L): from the residual where X is at hand and dense."""
    blocks = problem.blocks
    if not problem.at_hand:
        return evaluate(problem, S, L, seen)
    assert isinstance(blocks, Dense)
    scaled = np.ascontiguousarray(S.T * S.dtype.type(problem.scale))

    def work(group: list[slice]) -> float:
        return sum(squared_distance(blocks.X[:, b], scaled @ L[:, b]) for b in group)

    total = math.fsum(problem.crew.map(work, blocks.groups))
    return 0.5 * total / problem.scale**2 + penalty_of(problem, S, L)


def _figures(problem: Problem, seen: Visit, loss: float, rows: int) -> tuple[float, float]:
    residual = relative_gradient(problem, seen.gradient2, loss, rows)
    possible = min(seen.decrease + seen.bound, loss)
    least = max(problem.floor, np.finfo(float).tiny)
    return residual, max(0.0, possible) / max(loss, 0.5 * least * least)
