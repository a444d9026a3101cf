"""The end of a fit: exact signals, and how far both factors are from their optimum."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..compute.types import Array
from ..matrices.matrix import Columns, Sums, add
from ..matrices.products import squared_distance
from ..nnls.active_set import negligible, solve_rows
from ..problem.oriented import Oriented, products_of
from ..problem.solution import Certificate
from .block_update import Sweeps, Visit, evaluate, penalty_of, solve_short, terms_of, visit
from .hals import Descent, relative_gradient

_TO_THE_END = Sweeps(most=400, ratio=1e-9)
_MEASURE = Sweeps(most=20, ratio=1e-3, measure=True, bound=True, gather=False)
_MAJORISATIONS, _STILL = 200, 1e-3


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
            nothing = (math.nan,) * 3
            descent.seen = Visit(*products_of(problem, L.ahead), *nothing)
        seen = descent.seen
        solve_exactly(problem, S.ahead, seen, L.ahead)
    else:
        L.restart()
        seen = descent.seen = visit(problem, S.ahead, L, _TO_THE_END)
    of_L = visit(problem, S.ahead, L.scratch(), _MEASURE)
    of_S = solve_short(problem, S.scratch(), seen, L.ahead, _MEASURE._replace(most=200))
    S.restart()
    L.restart()
    loss = exact_loss(problem, S.ahead, L.ahead, seen)
    pair = [_figures(problem, figures, loss, len(S.ahead)) for figures in (of_S, of_L)]
    (W_residual, W_decrease), (H_residual, H_decrease) = pair if signals_short else pair[::-1]
    return Finish(Certificate(W_residual, H_residual, W_decrease, H_decrease), loss)


def solve_exactly(problem: Oriented, S: Array, seen: Visit, L: Array) -> None:
    """Replace the free rows of S by the least-squares answer for L, exact to rounding.

    Rows of L that are rounding beside the longest get zeros. A penalty is majorised again where
    the answer has moved to, until it moves no further.
    """
    counts = np.diagonal(seen.B)[problem.S_free] > negligible(seen.B)
    free = problem.S_free[counts]
    S[problem.S_free[~counts]] = 0
    if not problem.penalty.active:
        _solve_free(S, seen.A, seen.B, free)
        return
    still = _STILL * float(np.sqrt(np.finfo(S.dtype).eps))
    for _ in range(_MAJORISATIONS):
        before = S.copy()
        terms = terms_of(problem, S, L, of_long=False)
        gram = seen.B if terms.gram is None else seen.B + terms.gram
        if terms.ridge.shape[1] == 1:
            grams = gram + np.diag(terms.ridge[:, 0])
        else:
            grams = gram + terms.ridge.T[:, :, None] * np.eye(len(S))
        _solve_free(S, seen.A - terms.linear, grams, free)
        if np.linalg.norm(S - before) <= still * np.linalg.norm(S):
            return


def _solve_free(S: Array, C: Array, grams: Array, free: Array) -> None:
    """Solve the free rows of S, with one Gram matrix (k, k) for all columns or (n, k, k)."""
    held = np.setdiff1d(np.arange(S.shape[0]), free)
    grams = grams[None] if grams.ndim == 2 else grams
    across = _across(grams[:, free][:, :, held], S[held])
    rows = np.ascontiguousarray(S[free].T, np.float64)
    inner = np.ascontiguousarray(grams[:, free][:, :, free], np.float64)
    linear = np.ascontiguousarray((C[free] - across).T, np.float64)
    solve_rows(inner, linear, rows, 0, rows.shape[0], 100)
    S[free] = rows.T


def _across(grams: Array, held: Array) -> Array:
    """Return the products of rows that stay with what ties them to the others."""
    if len(grams) == 1:
        return np.asarray(grams[0] @ held)
    return np.asarray(np.einsum("nij,jn->in", grams, held))


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
    total = sum(squared_distance(part.values(b), W @ L[:, b]) for b in group)
    return add(sums, (np.array([total]),))  # type: ignore[no-any-return]


def _figures(problem: Oriented, seen: Visit, loss: float, rows: int) -> tuple[float, float]:
    residual = relative_gradient(problem, seen.gradient2, loss, rows)
    possible = min(seen.decrease + seen.bound, loss)
    least = max(problem.floor, np.finfo(float).tiny)
    return residual, max(0.0, possible) / max(loss, 0.5 * least * least)
