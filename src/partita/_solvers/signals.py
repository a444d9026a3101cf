"""Signals for given maps under any loss: which solver it is."""

from __future__ import annotations

from typing import Any

from .compute.types import Array, RankOne
from .divergence.signals import solve_divergence
from .matrices import products
from .nnls.solve import solve_least_squares
from .penalties.penalty import Penalty, terms_of_W


def solve_signals(
    X: Any,
    H: Array,
    *,
    penalty: Penalty | None = None,
    weights: Array | RankOne | None = None,
    loss: float = 2.0,
    W0: Array | None = None,
) -> Array:
    """Find the signals W >= 0 that fit X best with the maps H as they are.

    Parameters
    ----------
    X : ndarray or scipy.sparse matrix, (n, p)
        Non-negative data.
    H : ndarray, (k, p)
        Non-negative maps; those that are all zero get signals of zero.
    penalty : Penalty, optional
        Strengths; none by default.
    weights : ndarray, (n, p), or tuple of ndarray, (n,) and (p,), optional
        A weight for the misfit of each entry, or its two rank-one factors. A sample without
        any weight gets signals of zero.
    loss : float, default 2.0
        Beta of the divergence: 2 Frobenius, 1 Kullback-Leibler, 0 Itakura-Saito.
    W0 : ndarray, (n, k), optional
        A guess, used where the loss is not Frobenius.

    Returns
    -------
    ndarray, (n, k)
        Signals in the dtype of X. Exact for the Frobenius loss; for the others to where the
        loss of no row falls further, which for beta below 1 is a local minimum.

    Examples
    --------
    >>> import numpy as np
    >>> maps = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    >>> solve_signals(np.array([[1.0, 3.0, 2.0]]), maps)
    array([[1., 2.]])
    """
    penalty = Penalty() if penalty is None else penalty
    if loss != 2.0:
        return solve_divergence(X, H, beta=loss, penalty=penalty, weights=weights, W0=W0)
    rms = products.root_mean_square(X, weights) if penalty.active else 1.0
    terms = terms_of_W(H, penalty, rms=rms)
    return solve_least_squares(X, H, terms, weights=weights)
