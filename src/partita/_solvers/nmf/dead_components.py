"""Components that died on the way: found, and started again where the misfit is largest."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..compute.types import Array
from ..problem.oriented import Oriented, column_norms2, products_of, project
from .hals import Descent

_TINY = 1e-7  # of the strongest component: what float32 adds to it is rounding


def revive(descent: Descent) -> npt.NDArray[np.intp]:
    """Start dead components again, each from a column of X that is explained worst.

    Parameters
    ----------
    descent : Descent
        The fit; the dead rows of both factors are replaced.

    Returns
    -------
    ndarray of int
        The components that were dead; empty when all live, when X is explained but for
        rounding, or when a penalty is what put them out.
    """
    problem, S, L = descent.problem, descent.S.ahead, descent.L.ahead
    dead = np.intersect1d(_dead(S, L), np.intersect1d(problem.S_free, problem.L_free))
    misfit = np.sqrt(2 * descent.losses[-1]) if descent.losses else np.inf
    if dead.size == 0 or problem.penalty.active or misfit <= problem.floor:
        return np.zeros(0, np.intp)
    worst = np.argsort(-_column_misfits(problem, S, L), kind="stable")[: dead.size]
    plain = problem._replace(L_weights=None)
    for j, column in zip(dead, worst, strict=False):
        here = np.zeros((1, L.shape[1]), S.dtype)
        here[0, column] = 1
        S[j] = np.maximum(products_of(plain, here).A[0] - S.T @ L[:, column], 0)
        L[:, column] = 0
        L[j] = 0
        L[j, column] = 1
    descent.restart()
    return dead


def _dead(S: Array, L: Array) -> npt.NDArray[np.intp]:
    strength = np.linalg.norm(S, axis=1) * np.linalg.norm(L, axis=1)
    return np.flatnonzero(strength <= _TINY * strength.max(initial=0.0))


def _column_misfits(problem: Oriented, S: Array, L: Array) -> Array:
    """Return the squared misfit of each column, weighted."""
    weighted = S if problem.S_weights is None else S * problem.S_weights
    C, G = project(problem, weighted), weighted @ S.T
    fitted = np.einsum("ij,ij->j", L, G @ L)
    misfits = column_norms2(problem) - 2 * np.einsum("ij,ij->j", L, C) + fitted
    return np.asarray(misfits if problem.L_weights is None else misfits * problem.L_weights)
