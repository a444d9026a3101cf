"""Beta-divergences between X and its fit: values, slopes and curvatures, block by block.

D(X | Y) sums ``m * d(x | y)`` over the entries, with d the squared error halved (beta 2),
Kullback-Leibler (beta 1: ``x log(x / y) - x + y``), Itakura-Saito (beta 0: ``x / y - log(x / y)
- 1``) or the family between (Fevotte & Idier 2011, doi:10.1162/NECO_a_00168). Nothing is added
to X; Y is kept above a tiny floor.
"""

from __future__ import annotations

import numpy as np

from ..compute.compilation import compiled
from ..compute.types import Array, Floats


def slope_and_curvature(
    X: Array, Y: Array, M: Array | None, *, beta: float, exact: bool
) -> tuple[Array, Array]:
    """Return the first and second derivatives of the divergence in Y, entry by entry.

    Parameters
    ----------
    X : ndarray, (n, b)
        Data.
    Y : ndarray, (n, b)
        The fit, positive unless beta is 2.
    M : ndarray, (n, b), optional
        Weights.
    beta : float
        Which divergence.
    exact : bool
        The second derivative itself, else its expectation at X = Y (Fisher scoring), which is
        positive for every beta.

    Returns
    -------
    slope, curvature : ndarray, (n, b)
    """
    if beta == 2.0:
        slope = np.subtract(Y, X)
        curvature = np.ones_like(Y) if M is None else M
        return slope if M is None else slope * M, curvature
    slope, curvature = np.empty_like(Y), np.empty_like(Y)
    if beta == 1.0:
        _kullback_leibler(X, Y, exact, slope, curvature)
    else:
        np.power(Y, Y.dtype.type(beta - 2.0), out=curvature)
        np.subtract(Y, X, out=slope)
        slope *= curvature
        if exact:
            curvature *= (beta - 1.0) + (2.0 - beta) * (X / Y)
    if M is not None:
        slope *= M
        curvature *= M
    return slope, curvature


@compiled
def _kullback_leibler(X: Array, Y: Array, exact: bool, slope: Array, curvature: Array) -> None:
    one = Y.dtype.type(1)
    for i in range(X.shape[0]):
        for c in range(X.shape[1]):
            inverse = one / Y[i, c]
            ratio = X[i, c] * inverse
            slope[i, c] = one - ratio
            curvature[i, c] = ratio * inverse if exact else inverse


def misfit_by_column(X: Array, Y: Array, M: Array | None, *, beta: float) -> Floats:
    """Sum the divergence over each column, in float64.

    Parameters
    ----------
    X, Y : ndarray, (n, b)
        Data and fit.
    M : ndarray, (n, b), optional
        Weights.
    beta : float
        Which divergence.

    Returns
    -------
    ndarray, (b,)
        ``0 log 0`` is 0. For beta <= 0 entries of X must be positive.

    Examples
    --------
    >>> import numpy as np
    >>> misfit_by_column(np.zeros((2, 1)), np.full((2, 1), 3.0), None, beta=1.0)
    array([6.])
    """
    if beta == 2.0:
        entries = np.square(X - Y) * 0.5
    elif beta == 1.0:
        entries = _times_log(X, X / Y)
        entries -= X
        entries += Y
    elif beta == 0.0:
        ratio = X / Y
        entries = ratio - np.log(np.maximum(ratio, np.finfo(ratio.dtype).tiny)) - 1
    else:
        entries = _between(X, Y, beta)
    if M is not None:
        entries *= M
    return np.asarray(entries.sum(axis=0, dtype=np.float64))


def add_up(parts: list[Array]) -> Floats:
    """Sum arrays in float64, in their order."""
    total = np.zeros(parts[0].shape)
    for part in parts:
        total += part
    return total


def _times_log(X: Array, ratio: Array) -> Array:
    np.maximum(ratio, np.finfo(ratio.dtype).tiny, out=ratio)
    np.log(ratio, out=ratio)
    ratio *= X
    return ratio


def _between(X: Array, Y: Array, beta: float) -> Array:
    """Evaluate the family between, as ``y**beta`` times a function of the ratio."""
    ratio = X / Y
    shape = ratio**beta - beta * ratio + (beta - 1.0)
    return np.asarray(Y**beta * shape / (beta * (beta - 1.0)))
