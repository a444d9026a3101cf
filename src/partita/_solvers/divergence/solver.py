"""Losses other than Frobenius, and entrywise weights: a least-squares start, then their solver."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np
import scipy.sparse

from ..compute.threads import Crew, single_blas
from ..compute.types import Array
from ..matrices import products
from ..matrices.convert import lay
from ..nmf.begin import Asked, begin
from ..nmf.frobenius import orient
from ..nmf.initialisation import fill_zeros
from ..penalties.penalty import NONE, Extent
from ..problem.oriented import products_of, project
from ..problem.problem import Problem
from ..problem.solution import Solution, nothing_to_explain
from ..problem.start import Start
from ..problem.stopping import Stopping
from . import newton
from .signals import solve_divergence

# Rounds of least squares, and sweeps in each: no need to be exact where another loss goes on. With
# half and with four times as many rounds losses and times end alike.
_ROUNDS, _SWEEPS = 10, 4


def factorise_divergence(
    problem: Problem, start: Start, stopping: Stopping, *, rng: np.random.Generator
) -> Solution:
    """Start by a few rounds of least squares, then minimise the divergence or weighted misfit.

    Parameters
    ----------
    problem, start, stopping, rng
        As for `factorise.factorise`.

    Returns
    -------
    Solution
        As from the solver of the divergence, with the start's share in the report.
    """
    clock = perf_counter()
    if products.norm2(problem.X, problem.weights) == 0.0:
        return nothing_to_explain(problem.X, problem.n_components, start.H)
    stopping.enter("starts")
    begun, passes = _begun(problem, start, rng)
    seconds = perf_counter() - clock
    solution = newton.solve(problem, begun, stopping, warm=start.H is not None)
    spent = solution.report.get("seconds")
    clocks = {"start": seconds, **(spent if isinstance(spent, dict) else {})}
    report = {**solution.report, "seconds": clocks, "starts": 1}
    report["passes"] = passes + solution.report["passes"]
    return solution._replace(report=report)


def _begun(problem: Problem, start: Start, rng: np.random.Generator) -> tuple[Start, Any]:
    """Return both factors, and how many passes over X they took.

    What is given stays as it is until the divergence itself moves it.
    """
    k, kind = problem.n_components, problem.X.dtype
    if start.H is None:
        W, H, passes = _by_least_squares(problem, start, problem.held, rng)
        kept = np.zeros(k, bool) if problem.held is None else problem.held
        W = _lifted(problem, W, rng, samples=True)
        return start._replace(W=W, H=_lifted(problem, H, rng, kept=kept)), passes
    if start.is_whole(k):
        assert start.W is not None
        return start._replace(W=start.W.astype(kind), H=start.H.astype(kind)), 0
    H, passes = (start.H.astype(kind), 0) if len(start.H) == k else _followed(problem, start, rng)
    return start._replace(W=_signals_for(problem, H), H=H), passes + 1


def _followed(problem: Problem, start: Start, rng: np.random.Generator) -> tuple[Array, Any]:
    """Let new maps follow those given."""
    assert start.H is not None
    given = np.arange(problem.n_components) < len(start.H)
    held = given if problem.held is None else given | problem.held
    _, H, passes = _by_least_squares(problem, start, held, rng)
    return _lifted(problem, H, rng, kept=given), passes


def _signals_for(problem: Problem, H: Array) -> Array:
    """Solve the signals for the maps under the divergence."""
    (n, p), rms = problem.X.shape, products.root_mean_square(problem.X, problem.weights)
    bound = problem.penalty.against(Extent(n, p, rms, problem.loss))
    return solve_divergence(problem.X, H, beta=problem.loss, penalty=bound, weights=problem.weights)


def _by_least_squares(
    problem: Problem, start: Start, held: Array | None, rng: np.random.Generator
) -> tuple[Array, Array, Any]:
    """Return the factors after a few rounds of least squares, and the passes they took."""
    k, weights = problem.n_components, problem.weights
    if isinstance(weights, np.ndarray):
        X, weights = _fill_gaps(problem.X, weights), None
    else:
        X = problem.X
    laid, free = lay(X), np.ones(k, bool) if held is None else ~held
    # What begins is the short factor, and the long one zero: nothing is solved, and no kernel used.
    first = "H" if laid.signals_short else "W"
    asked = Asked(start._replace(sketch=False, first=first), laid.signals_short, problem.columns)
    with single_blas(), Crew() as crew:
        posed = orient(laid, products.norm2(X, weights), NONE, weights, free, crew=crew)
        begun = begin(posed, k, asked, rng)
        S, L = begun.S, begun.L
        for _ in range(_ROUNDS):
            by_weight = S if posed.S_weights is None else S * posed.S_weights
            _sweep(L, project(posed, by_weight), by_weight @ S.T, posed.L_free)
            _sweep(S, *products_of(posed, L), posed.S_free)
    W, H = (S, L) if laid.signals_short else (L, S)
    W = np.ascontiguousarray(W.T * posed.scale, problem.X.dtype)
    return W, H.astype(problem.X.dtype), begun.passes + _ROUNDS


def _sweep(rows: Array, products: Array, gram: Array, free: Array) -> None:
    """Bring the rows of a factor nearer the least squares, one after the other (HALS)."""
    for _ in range(_SWEEPS):
        for j in free[gram[free, free] > 0]:
            step = (products[j] - gram[j].astype(rows.dtype) @ rows) / gram[j, j]
            np.maximum(rows[j] + step, 0, out=rows[j])


def _fill_gaps(X: Any, weights: Array) -> Any:
    """Put each feature's mean where nothing was seen."""
    if bool((weights > 0).all()):
        return X
    dense = X.toarray() if scipy.sparse.issparse(X) else X
    seen = weights > 0
    sums = np.where(seen, dense, 0).sum(0, dtype=np.float64)
    means = (sums / np.maximum(seen.sum(0), 1)).astype(dense.dtype)
    return np.where(seen, dense, means)


def _lifted(
    problem: Problem,
    factor: Array,
    rng: np.random.Generator,
    *,
    samples: bool = False,
    kept: Array | None = None,
) -> Array:
    """Lift zeros, which a divergence may never leave or may not survive, but for maps `kept`."""
    if problem.loss == 2.0:
        return factor
    lifted = fill_zeros(factor, variant="auto", rng=rng, samples=samples)
    if kept is not None:
        lifted[kept] = factor[kept]
    return lifted
