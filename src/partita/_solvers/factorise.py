"""A factorisation under any loss: which solver it is."""

from __future__ import annotations

import numpy as np

from .divergence.solver import factorise_divergence
from .nmf.frobenius import factorise_least_squares
from .problem.problem import Problem
from .problem.solution import Solution
from .problem.start import Start
from .problem.stopping import Stopping

_AUTO, _DEFAULT = Start(), Stopping()


def factorise(
    problem: Problem,
    start: Start = _AUTO,
    stopping: Stopping = _DEFAULT,
    *,
    rng: np.random.Generator,
    threads: int | None = None,
) -> Solution:
    """Minimise ``|X - W @ H|^2 / 2``, or another divergence, plus penalties over W, H >= 0.

    Parameters
    ----------
    problem : Problem
        The matrix, the loss, penalties, weights and what is held.
    start : Start
        Where to begin.
    stopping : Stopping
        When to end, and who watches.
    rng : Generator
        Random numbers, drawn over the samples only.
    threads : int, optional
        Threads to use; by default as many as the process may.

    Returns
    -------
    Solution
        Factors in the dtype of X, losses, the certificate, and a report.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.random((30, 2)) @ rng.random((2, 40))
    >>> solution = factorise(Problem(X, 2), stopping=Stopping(tol=1e-6), rng=rng)
    >>> bool(np.abs(X - solution.W @ solution.H).max() < 1e-3), solution.converged
    (True, True)
    """
    if problem.loss != 2.0 or isinstance(problem.weights, np.ndarray):
        return factorise_divergence(problem, start, stopping, rng=rng)
    return factorise_least_squares(problem, start, stopping, rng=rng, threads=threads)
