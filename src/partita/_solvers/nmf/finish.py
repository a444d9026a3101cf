"""The end of a fit: exact signals, and how far both factors are from their optimum."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..compute.types import Array
from ..matrices.matrix import Columns, Sums, add
from ..matrices.products import squared_norm
from ..nnls.active_set import negligible, solve_rows
from ..nnls.solve import solve_majorised
from ..optimality.certificate import Slack, certify
from ..penalties.penalty import Terms
from ..problem.oriented import Oriented, Products, products_of, project
from ..problem.solution import Certificate
from .block_update import Sweeps, Visit, evaluate, penalty_of, solve_short, terms_of, visit
from .hals import Descent, comparison

# Signals that are the long factor are swept to rounding; what is only measured, to where the bound
# on the rest is a small part of it.
_TO_THE_END = Sweeps(most=400, ratio=1e-9)
_MEASURE = Sweeps(most=20, ratio=1e-3, measure=True, bound=True, gather=False)


_UNMEASURED = (math.nan, math.nan, math.nan)


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
        if descent.seen is None:
            descent.seen = Visit(*products_of(problem, L.ahead), *_UNMEASURED)
        seen = descent.seen
        solve_exactly(problem, S.ahead, seen, L.ahead, of_long=False)
    elif problem.penalty.active:
        seen = descent.seen = _solve_long_exactly(problem, S.ahead, L.ahead)
    else:
        L.restart()
        seen = descent.seen = visit(problem, S.ahead, L, _TO_THE_END)
    of_L = visit(problem, S.ahead, L.scratch(), _MEASURE)
    of_S = solve_short(problem, S.scratch(), seen, L.ahead, _MEASURE._replace(most=200))
    S.restart()
    L.restart()
    loss = exact_loss(problem, S.ahead, L.ahead, seen)
    slacks = [Slack(one.gradient2, one.decrease + one.bound) for one in (of_S, of_L)]
    of_W, of_H = slacks if signals_short else slacks[::-1]
    scale = comparison(problem, len(S.ahead))
    return Finish(certify(of_W, of_H, loss=loss, scale=scale), loss)


def solve_exactly(
    problem: Oriented, factor: Array, normal: Products | Visit, given: Array, *, of_long: bool
) -> None:
    """Replace the free rows of a factor by the answer that is best for the other one, exactly.

    Rows whose counterpart is rounding beside the longest get zeros.

    Parameters
    ----------
    problem : Oriented
        The fit.
    factor : ndarray, (k, m)
        Replaced in place.
    normal : Products
        The other factor times the data, as (k, m), and times itself.
    given : ndarray
        The other factor.
    of_long : bool
        Whether it is the long factor that is solved.
    """
    may_move = problem.L_free if of_long else problem.S_free
    counts = np.diagonal(normal.B)[may_move] > negligible(normal.B)
    free = may_move[counts]
    factor[may_move[~counts]] = 0
    if not free.size:  # all are held, or a penalty has put them out
        return
    held = np.setdiff1d(np.arange(len(factor)), free)
    gram = np.ascontiguousarray(normal.B[np.ix_(free, free)])
    linear = normal.A[free] - normal.B[np.ix_(free, held)] @ factor[held]
    C = np.ascontiguousarray(linear.T, np.float64)
    rows = np.ascontiguousarray(factor[free].T, np.float64)
    if not problem.penalty.active:
        solve_rows(gram[None], C, rows, 100)
        factor[free] = rows.T
        return

    def terms_at(moving: Array) -> Terms:
        whole = factor.astype(np.float64)
        whole[free] = moving.T
        terms = terms_of(problem, whole, given, of_long=of_long)
        linear, ridge = terms.linear[free], terms.ridge[free]
        if terms.gram is None:
            return Terms(linear, ridge)
        tied = terms.gram[np.ix_(free, held)] @ whole[held]
        return Terms(linear + tied, ridge, terms.gram[np.ix_(free, free)])

    factor[free] = solve_majorised(gram, C, terms_at, rows).T


def _solve_long_exactly(problem: Oriented, S: Array, L: Array) -> Visit:
    """Solve the long factor under a penalty, in two passes; return the products for S."""
    weighted = S if problem.S_weights is None else S * problem.S_weights
    gram = weighted.astype(np.float64) @ S.T.astype(np.float64)
    normal = Products(project(problem, weighted), gram)
    solve_exactly(problem, L, normal, S, of_long=True)
    return Visit(*products_of(problem, L), *_UNMEASURED)


def exact_loss(problem: Oriented, S: Array, L: Array, seen: Visit) -> float:
    """Return the loss at (S, L): from the residual where X is at hand and dense."""
    if not problem.at_hand:
        return evaluate(problem, S, L, seen)
    scaled = np.ascontiguousarray(S.T * S.dtype.type(problem.scale))
    (total,) = problem.matrix.over_parts(_misfit_of_part, scaled, reads=(L,), crew=problem.crew)
    return 0.5 * float(total[0]) / problem.scale**2 + penalty_of(problem, S, L)


def _misfit_of_part(
    part: Columns, group: list[slice], sums: Sums | None, W: Array, L: Array
) -> Sums:
    total = sum(squared_norm(_residual(part.values(b), W, L[:, b])) for b in group)
    added: Sums = add(sums, (np.array([total]),))
    return added


def _residual(X: Array, W: Array, L: Array) -> Array:
    """Return W @ L - X, or its transpose, as X lies."""
    if X.flags.f_contiguous:
        X, W, L = X.T, L.T, W.T
    residual: Array = W @ L
    residual -= X
    return residual
