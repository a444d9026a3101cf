"""The error of a fit as it is reported: from blocks of the residual, once, at the end."""

from __future__ import annotations

import math
from typing import Any

from ..compute.types import Array, RankOne
from ..losses.beta_divergence import misfit_by_column
from ..matrices import products
from ..matrices.scaled import prepare


def error(
    X: Any, W: Array, H: Array, *, loss: float = 2.0, weights: Array | RankOne | None = None
) -> float:
    """Return ``sqrt(2 D(X | W @ H))``, which for Frobenius is the norm of the residual.

    Parameters
    ----------
    X : ndarray or scipy.sparse matrix, (n, p)
        Data.
    W : ndarray, (n, k)
        Signals.
    H : ndarray, (k, p)
        Maps.
    loss : float
        Beta of the divergence.
    weights : ndarray, (n, p), or tuple of ndarray, (n,) and (p,), optional
        A weight for the misfit of each entry, or its two rank-one factors.

    Returns
    -------
    float
        In the units of X for Frobenius.

    Examples
    --------
    >>> import numpy as np
    >>> error(np.full((2, 2), 3.0), np.ones((2, 1)), np.ones((1, 2)))
    4.0
    """
    if loss == 2.0:
        return math.sqrt(products.residual_norm2(X, W, H, weights))
    data = prepare(X, beta=loss, weights=weights)
    scaled = W * W.dtype.type(data.scale)
    total = 0.0
    for block in data.blocks():
        values, weight = data.take(block)
        fitted = (scaled @ H[:, block]).clip(min=data.floor)
        total += float(misfit_by_column(values, fitted, weight, beta=loss).sum())
    return math.sqrt(2 * max(total, 0.0) / data.unit)
