"""What a fit is asked: the matrix, the loss, penalties, weights, and what is held."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..compute.types import Array, RankOne
from ..penalties.penalty import NONE, Penalty


class Problem(NamedTuple):
    """Find W >= 0 (n, k) and H >= 0 (k, p) with X ~ W @ H.

    Parameters
    ----------
    X : ndarray, scipy.sparse matrix or surveyed Stream, (n, p)
        Non-negative finite data in float32 or float64, in any memory order; not copied.
    n_components : int
        Number of components k.
    loss : float
        Beta of the divergence: 2 Frobenius, 1 Kullback-Leibler, 0 Itakura-Saito.
    penalty : Penalty
        None by default.
    weights : ndarray, (n, p), or tuple of ndarray, (n,) and (p,), optional
        A weight for the misfit of each entry, or its two rank-one factors.
    held : ndarray of bool, (k,), optional
        Rows of H that stay as the start gives them.
    columns : ndarray of int, (p,), optional
        A canonical order of the features, which sampling follows; as they stand by default.
    """

    X: Any
    n_components: int
    loss: float = 2.0
    penalty: Penalty = NONE
    weights: Array | RankOne | None = None
    held: Array | None = None
    columns: Array | None = None
