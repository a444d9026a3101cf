"""Losses other than Frobenius, and entrywise weights: a least-squares start, then their solver."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import scipy.sparse

from ..compute.types import Array, RankOne
from ..nmf.frobenius import factorise_least_squares
from ..nmf.initialisation import fill_zeros
from ..penalties.penalty import Penalty
from ..problem.solution import Solution, State
from ..problem.start import Start
from . import multiplicative, newton

_ROUNDS = 10


def factorise_divergence(
    X: Any,
    n_components: int,
    *,
    loss: float,
    init: str | Start,
    tol: float,
    max_iter: int,
    penalty: Penalty,
    weights: Array | RankOne | None,
    held: Array | None,
    first: str,
    rng: np.random.Generator,
    watch: Callable[[State], bool | None] | None,
) -> Solution:
    """Start by a few rounds of least squares, then minimise the divergence or weighted misfit.

    Parameters
    ----------
    X : ndarray or scipy.sparse matrix, (n, p)
        Non-negative data.
    n_components : int
        Number of components k.
    loss, init, tol, max_iter, penalty, weights, held, first, rng, watch
        As for `factorise.factorise`.

    Returns
    -------
    Solution
        As from the solver of the divergence, with the start's share in the report.
    """
    clock = perf_counter()
    W, H, passes = _start(X, n_components, init, weights, held, first, rng)
    if loss != 2.0:
        W, H = _lift(W, H, init, held, rng)
    seconds = perf_counter() - clock
    solve = newton.solve if loss >= 1.0 else multiplicative.solve
    solution = solve(
        X, W, H, beta=loss, weights=weights, penalty=penalty, held=held, first=first, tol=tol,
        max_iter=max_iter, watch=watch,
    )  # fmt: skip
    spent = solution.report.get("seconds")
    clocks = {"start": seconds, **(spent if isinstance(spent, dict) else {})}
    report = {**solution.report, "seconds": clocks, "starts": 1}
    report["passes"] = passes + solution.report["passes"]
    return solution._replace(report=report)


def _start(
    X: Any,
    k: int,
    init: str | Start,
    weights: Array | RankOne | None,
    held: Array | None,
    first: str,
    rng: np.random.Generator,
) -> tuple[Array, Array, Any]:
    """Return both factors, and how many passes over X they took."""
    if isinstance(init, Start) and _is_whole(init, k):
        return init.W.astype(X.dtype), init.H.astype(X.dtype), 0  # type: ignore[union-attr]
    data, rank_one = (_fill_gaps(X, weights), None)
    if isinstance(weights, tuple):
        data, rank_one = X, weights
    start = factorise_least_squares(
        data, k, solver="hals", init=init, tol=0.0, max_iter=_ROUNDS, weights=rank_one, held=held,
        first=first, rng=rng,
    )  # fmt: skip
    if start.interrupted:
        raise KeyboardInterrupt
    return start.W, start.H, start.report["passes"]


def _is_whole(start: Start, k: int) -> bool:
    """Tell whether both factors are given with all their components."""
    return start.W is not None and start.H is not None and start.H.shape[0] == k


def _fill_gaps(X: Any, weights: Array | RankOne | None) -> Any:
    """Put each feature's mean where nothing was seen."""
    if weights is None or isinstance(weights, tuple) or bool((weights > 0).all()):
        return X
    dense = X.toarray() if scipy.sparse.issparse(X) else X
    seen = weights > 0
    sums = np.where(seen, dense, 0).sum(0, dtype=np.float64)
    means = (sums / np.maximum(seen.sum(0), 1)).astype(dense.dtype)
    return np.where(seen, dense, means)


def _lift(
    W: Array, H: Array, init: str | Start, held: Array | None, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Lift zeros, which a divergence may never leave or may not survive."""
    if isinstance(init, Start) and _is_whole(init, W.shape[1]):
        return W, H
    lifted = fill_zeros(H, variant="auto", rng=rng, samples=False)
    if held is not None:
        lifted[held] = H[held]
    return fill_zeros(W, variant="auto", rng=rng, samples=True), lifted
