"""Losses other than Frobenius, and entrywise weights: a least-squares start, then their solver."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np
import scipy.sparse

from ..compute.types import Array, RankOne
from ..matrices import products
from ..nmf.frobenius import factorise_least_squares
from ..nmf.initialisation import fill_zeros
from ..penalties.penalty import Extent
from ..problem.problem import Problem
from ..problem.solution import Solution, nothing_to_explain
from ..problem.start import Start
from ..problem.stopping import Stopping
from . import multiplicative, newton
from .signals import solve_divergence

_ROUNDS = 10  # of least squares, which need not be exact where another loss goes on


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
    begun, passes = _begun(problem, start, rng)
    seconds = perf_counter() - clock
    solve = newton.solve if problem.loss >= 1.0 else multiplicative.solve
    solution = solve(problem, begun, stopping, warm=start.H is not None)
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
    X, weights = problem.X, problem.weights
    if not isinstance(weights, tuple):
        X, weights = _fill_gaps(X, weights), None
    plain = Problem(X, problem.n_components, weights=weights, held=held)
    rounds = Stopping(tol=0.0, max_iter=_ROUNDS)
    found = factorise_least_squares(plain, start._replace(sketch=False), rounds, rng=rng)
    if found.interrupted:
        raise KeyboardInterrupt
    return found.W, found.H, found.report["passes"]


def _fill_gaps(X: Any, weights: Array | RankOne | None) -> Any:
    """Put each feature's mean where nothing was seen."""
    if weights is None or isinstance(weights, tuple) or bool((weights > 0).all()):
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
