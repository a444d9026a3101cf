"""A factorisation under any loss: which solver it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from .compute.types import Array, RankOne
from .divergence.fit import factorise_divergence
from .nmf.frobenius import Keeper, Watcher, factorise_least_squares
from .penalties.penalty import NONE, Penalty
from .problem.solution import Solution
from .problem.start import Start


def factorise(
    X: Any,
    n_components: int,
    *,
    loss: float = 2.0,
    solver: str = "auto",
    init: str | Start = "auto",
    n_starts: int | str = "auto",
    tol: float = 1e-3,
    max_iter: int = 500,
    penalty: Penalty = NONE,
    weights: Array | RankOne | None = None,
    held: Array | None = None,
    first: str = "W",
    rng: np.random.Generator,
    columns: Array | None = None,
    watch: Watcher | None = None,
    threads: int | None = None,
    keeper: Keeper | None = None,
) -> Solution:
    """Minimise ``|X - W @ H|^2 / 2``, or another divergence, plus penalties over W, H >= 0.

    Parameters
    ----------
    X : ndarray, scipy.sparse matrix or surveyed Stream, (n, p)
        Non-negative finite data in float32 or float64, in any memory order; not copied.
    n_components : int
        Number of components k.
    loss : float, default 2.0
        Beta of the divergence: 2 Frobenius, 1 Kullback-Leibler, 0 Itakura-Saito.
    solver : {"auto", "hals", "sketch"}, default "auto"
        Whether the fit may begin on a sketch of X ("auto" goes by size). Losses other than
        Frobenius and entrywise weights have their own solver whatever is asked.
    init : {"auto", "random", "nndsvd", "nndsvda", "nndsvdar"} or Start, default "auto"
        Where to begin.
    n_starts : int or "auto", default "auto"
        Starts tried on the sketch.
    tol : float, default 1e-3
        Bound on the residual of the certificate; 0 goes on to `max_iter`.
    max_iter : int, default 500
        Iterations on X at most.
    penalty : Penalty
        Strengths; none by default.
    weights : ndarray, (n, p), or tuple of ndarray, (n,) and (p,), optional
        A weight for the misfit of each entry, or its two rank-one factors.
    held : ndarray of bool, (k,), optional
        Rows of H that stay as `init` gives them.
    first : {"W", "H"}, default "W"
        The factor that is solved first.
    rng : Generator
        Random numbers, drawn over the samples only.
    columns : ndarray of int, (p,), optional
        A canonical order of the features, which sampling follows; as they stand by default.
    watch : callable, optional
        Called with a State after each iteration; True ends the fit.
    threads : int, optional
        Threads to use; by default as many as the process may.
    keeper : Keeper, optional
        Is handed the state now and then, and asked for it at the start. Frobenius without
        entrywise weights only.

    Returns
    -------
    Solution
        Factors in the dtype of X, losses, the certificate, and a report.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.random((30, 2)) @ rng.random((2, 40))
    >>> solution = factorise(X, 2, rng=rng, tol=1e-6)
    >>> bool(np.abs(X - solution.W @ solution.H).max() < 1e-3), solution.converged
    (True, True)
    """
    if loss != 2.0 or isinstance(weights, np.ndarray):
        return factorise_divergence(
            X, n_components, loss=loss, init=init, tol=tol, max_iter=max_iter, penalty=penalty,
            weights=weights, held=held, first=first, rng=rng, watch=watch,
        )  # fmt: skip
    return factorise_least_squares(
        X, n_components, solver=solver, init=init, n_starts=n_starts, tol=tol, max_iter=max_iter,
        penalty=penalty, weights=weights, held=held, first=first, rng=rng, columns=columns,
        watch=watch, threads=threads, keeper=keeper,
    )  # fmt: skip
