"""Signals for given maps under any loss and for any matrix: which solver it is."""

from __future__ import annotations

from typing import Any

from .compute.types import Array, RankOne
from .divergence.signals import solve_divergence
from .matrices.streamed import Stream
from .nnls.solve import solve_least_squares
from .nnls.streamed_signals import signals_for
from .penalties.penalty import NONE, Penalty


def solve_signals(
    X: Any,
    H: Array,
    *,
    penalty: Penalty = NONE,
    weights: Array | RankOne | None = None,
    loss: float = 2.0,
) -> Array:
    """Find the signals W >= 0 that fit X best with the maps H as they are.

    Parameters
    ----------
    X : ndarray, scipy.sparse matrix or Stream, (n, p)
        Non-negative data; a stream for the Frobenius loss without weights only.
    H : ndarray, (k, p)
        Non-negative maps; those that are all zero get signals of zero.
    penalty : Penalty
        In the units of X, as a Solution leaves it; none by default.
    weights : ndarray, (n, p), or tuple of ndarray, (n,) and (p,), optional
        A weight for the misfit of each entry, or its two rank-one factors. A sample without
        any weight gets signals of zero, unless the penalty ties it to others.
    loss : float, default 2.0
        Beta of the divergence: 2 Frobenius, 1 Kullback-Leibler, 0 Itakura-Saito.

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
    if isinstance(X, Stream):
        return signals_for(X, H, penalty)
    if loss != 2.0:
        return solve_divergence(X, H, beta=loss, penalty=penalty, weights=weights)
    return solve_least_squares(X, H, penalty=penalty, weights=weights)
