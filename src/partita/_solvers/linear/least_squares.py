"""Centring, least squares and upright signs for the signed decompositions."""

from __future__ import annotations

import numpy as np

from ..compute.types import Array


def centre(X: Array, *, axis: int) -> tuple[Array, Array]:
    """Return X less its mean along `axis`, and that mean with the axis kept.

    Parameters
    ----------
    X : ndarray, (n, p)
        Data; left untouched.
    axis : int
        0 takes each column's mean off, 1 each row's.

    Returns
    -------
    centred : ndarray, (n, p)
        In the dtype of X.
    mean : ndarray, (1, p) or (n, 1)
        Accumulated in float64, in the dtype of X.

    Examples
    --------
    >>> import numpy as np
    >>> centre(np.array([[1.0, 2.0], [3.0, 6.0]]), axis=0)[1]
    array([[2., 4.]])
    """
    mean = X.mean(axis=axis, keepdims=True, dtype=np.float64).astype(X.dtype)
    return X - mean, mean


def least_squares(X: Array, H: Array) -> Array:
    """Return W (n, k) that minimises ``|X - W @ H|``, the smallest where several do.

    Parameters
    ----------
    X : ndarray, (n, p)
        Data.
    H : ndarray, (k, p)
        Rows to combine; solved through their Gram matrix in float64.

    Returns
    -------
    ndarray, (n, k)
        In the dtype of X.
    """
    rows = H.astype(np.float64)
    products = (X @ H.T).astype(np.float64)
    return np.linalg.lstsq(rows @ rows.T, products.T, rcond=None)[0].T.astype(X.dtype)


def upright(W: Array, H: Array) -> tuple[Array, Array]:
    """Return the factors with signs such that each row of H has its largest value positive."""
    extremes = np.take_along_axis(H, np.abs(H).argmax(axis=1)[:, None], axis=1)[:, 0]
    signs = np.where(extremes < 0, -1, 1).astype(H.dtype)
    return W * signs, H * signs[:, None]


_GRAM = 1500  # features whose Gram matrix, 18 MB, is decomposed whole
_WHOLE = 500  # of either side, as in scikit-learn's own choice


def eigensolver(shape: tuple[int, int], n_components: int) -> str:
    """Choose an exact solver for samples (n, p): results must not depend on their layout."""
    n, p = shape
    if p <= _GRAM and n >= p:
        return "covariance_eigh"
    return "full" if min(n, p) <= _WHOLE or n_components >= min(n, p) else "arpack"
