"""Losses other than Frobenius, and entrywise weights: a least-squares start, then their solver."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np
import scipy.sparse

from ..compute.types import Array, RankOne
from ..nmf.frobenius import factorise_least_squares
from ..nmf.initialisation import fill_zeros
from ..problem.problem import Problem
from ..problem.solution import Solution
from ..problem.start import Start
from ..problem.stopping import Stopping
from . import multiplicative, newton

_ROUNDS = 10


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
    begun, passes = _begun(problem, start, rng)
    if problem.loss != 2.0 and not start.is_whole(problem.n_components):
        begun = _lifted(begun, problem.held, rng)
    seconds = perf_counter() - clock
    solve = newton.solve if problem.loss >= 1.0 else multiplicative.solve
    solution = solve(problem, begun, stopping)
    spent = solution.report.get("seconds")
    clocks = {"start": seconds, **(spent if isinstance(spent, dict) else {})}
    report = {**solution.report, "seconds": clocks, "starts": 1}
    report["passes"] = passes + solution.report["passes"]
    return solution._replace(report=report)


def _begun(problem: Problem, start: Start, rng: np.random.Generator) -> tuple[Start, Any]:
    """Return both factors, and how many passes over X they took."""
    if start.is_whole(problem.n_components):
        assert start.W is not None
        assert start.H is not None
        kind = problem.X.dtype
        return start._replace(W=start.W.astype(kind), H=start.H.astype(kind)), 0
    X, weights = problem.X, problem.weights
    if not isinstance(weights, tuple):
        X, weights = _fill_gaps(X, weights), None
    plain = Problem(X, problem.n_components, weights=weights, held=problem.held)
    rounds = Stopping(tol=0.0, max_iter=_ROUNDS)
    found = factorise_least_squares(plain, start._replace(sketch=False), rounds, rng=rng)
    if found.interrupted:
        raise KeyboardInterrupt
    return start._replace(W=found.W, H=found.H), found.report["passes"]


def _fill_gaps(X: Any, weights: Array | RankOne | None) -> Any:
    """Put each feature's mean where nothing was seen."""
    if weights is None or isinstance(weights, tuple) or bool((weights > 0).all()):
        return X
    dense = X.toarray() if scipy.sparse.issparse(X) else X
    seen = weights > 0
    sums = np.where(seen, dense, 0).sum(0, dtype=np.float64)
    means = (sums / np.maximum(seen.sum(0), 1)).astype(dense.dtype)
    return np.where(seen, dense, means)


def _lifted(begun: Start, held: Array | None, rng: np.random.Generator) -> Start:
    """Lift zeros, which a divergence may never leave or may not survive."""
    assert begun.W is not None
    assert begun.H is not None
    H = fill_zeros(begun.H, variant="auto", rng=rng, samples=False)
    if held is not None:
        H[held] = begun.H[held]
    return begun._replace(W=fill_zeros(begun.W, variant="auto", rng=rng, samples=True), H=H)
