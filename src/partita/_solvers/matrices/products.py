"""The few products a solver needs of X, dense, sparse or streamed, and its norms in float64."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse

from ..compute.types import Array, Floats, RankOne
from .matrix import add
from .streamed import Stream

_BLOCK_BYTES = 4 << 20  # of dense values at once: four squares in float64 stay below 32 MB
# Of a block of a million: squares below the range of float32 (1e-38) are less than 1e-8 of it.
_LEAST_SQUARES = 1e-24


def times(X: Any, B: Array) -> Array:
    """Return ``X @ B`` as a dense array, for X (n, p) and B (p, k)."""
    return np.asarray(X @ B)


def t_times(X: Any, A: Array) -> Array:
    """Return ``X.T @ A`` as a dense array, for X (n, p) and A (n, k)."""
    return np.asarray(X.T @ A)


def column_blocks(X: Any, *, n_bytes: int = _BLOCK_BYTES) -> list[slice]:
    """Cut the columns of X into slices of about `n_bytes` of dense values."""
    n, p = X.shape
    width = max(1, min(p, n_bytes // max(1, n * X.dtype.itemsize)))
    return [slice(a, min(a + width, p)) for a in range(0, p, width)]


def norm2(X: Any, weights: Array | RankOne | None = None) -> float:
    """Return the squared Frobenius norm of X, weighted entry by entry, in float64.

    Parameters
    ----------
    X : ndarray, scipy.sparse matrix or Stream, (n, p)
        Data.
    weights : ndarray, (n, p), or tuple of ndarray, (n,) and (p,), optional
        A weight for each squared entry, or its two rank-one factors.

    Returns
    -------
    float
        ``sum(weights * X**2)``.

    Examples
    --------
    >>> norm2(np.full((2, 3), 2.0))
    24.0
    """
    if isinstance(X, Stream):
        return X.norm2
    if scipy.sparse.issparse(X):
        return _sparse_norm2(X, weights)
    total = 0.0
    for block, values in dense_blocks(X):
        squares = np.square(values, dtype=np.float64)
        total += float(weigh(squares, block, weights).sum())
    return total


def residual_norm2(X: Any, W: Array, H: Array, weights: Array | RankOne | None = None) -> float:
    """Return the squared norm of ``X - W @ H``, weighted, from blocks of the residual in float64.

    Parameters
    ----------
    X : ndarray, scipy.sparse matrix or Stream, (n, p)
        Data.
    W : ndarray, (n, k)
        Signals.
    H : ndarray, (k, p)
        Maps.
    weights : ndarray, (n, p), or tuple of ndarray, (n,) and (p,), optional
        A weight for each squared entry, or its two rank-one factors.

    Returns
    -------
    float
        ``sum(weights * (X - W @ H)**2)``.

    Examples
    --------
    >>> residual_norm2(np.ones((2, 3)), np.ones((2, 1)), np.zeros((1, 3)))
    6.0
    """
    if isinstance(X, Stream):
        pair = (H, W.T) if X.by_samples else (W.T, H[:, X.order])
        (total_of_parts,), _ = X.run(_residual_of_part, *pair)
        return float(total_of_parts[0])
    turned = _is_row_major(X)
    long = X.T if turned else X
    left, right = (H.T, W.T) if turned else (W, H)
    weights = _turn(weights) if turned else weights
    total = 0.0
    for block in column_blocks(long, n_bytes=_BLOCK_BYTES // 4):
        residual = left @ right[:, block]
        values = long[:, block]
        np.subtract(
            values.toarray() if scipy.sparse.issparse(values) else values, residual, out=residual
        )
        if weights is None:
            total += squared_norm(residual)
            continue
        squares = np.square(residual, dtype=np.float64)
        total += float(weigh(squares, block, weights).sum())
    return total


def squared_norm(residual: Array) -> float:
    """Return the sum of squares, added up in the residual's type where its range suffices."""
    with np.errstate(over="ignore", under="ignore"):
        total = float(np.einsum("ij,ij->i", residual, residual).sum(dtype=np.float64))
    if _LEAST_SQUARES < total < np.inf:
        return total
    return float(np.square(residual, dtype=np.float64).sum())


def _residual_of_part(
    X: Array, so_far: tuple[Array] | None, S: Array, L: Array
) -> tuple[tuple[Array], None]:
    total = 0.0
    for block in column_blocks(X, n_bytes=_BLOCK_BYTES):
        residual = X[:, block] - S.T @ L[:, block]
        total += float(np.square(residual, dtype=np.float64).sum())
    return add(so_far, (np.array([total]),)), None


def root_mean_square(X: Any, weights: Array | RankOne | None = None) -> float:
    """Return the weighted root mean square of X, zeros of a sparse X included."""
    if weights is None:
        n, p = X.shape
        return float(np.sqrt(norm2(X) / max(1, n * p)))
    if isinstance(weights, tuple):
        total = float(weights[0].sum(dtype=np.float64) * weights[1].sum(dtype=np.float64))
    else:
        total = float(weights.sum(dtype=np.float64))
    return float(np.sqrt(norm2(X, weights) / total)) if total > 0 else 0.0


def _is_row_major(X: Any) -> bool:
    if scipy.sparse.issparse(X):
        return bool(X.format == "csr")
    return bool(abs(X.strides[0]) > abs(X.strides[1]))


def dense_blocks(X: Array) -> Iterator[tuple[tuple[slice, slice], Array]]:
    """Give blocks that lie together in memory."""
    if _is_row_major(X):
        for rows in column_blocks(X.T, n_bytes=_BLOCK_BYTES // 4):
            yield (rows, slice(None)), X[rows]
        return
    for columns in column_blocks(X, n_bytes=_BLOCK_BYTES // 4):
        yield (slice(None), columns), X[:, columns]


def weigh(
    values: Array, block: tuple[slice, slice] | slice, weights: Array | RankOne | None
) -> Array:
    """Weigh values that belong to a block: of some columns, or of some rows and columns."""
    rows, columns = block if isinstance(block, tuple) else (slice(None), block)
    if weights is None:
        return values
    if isinstance(weights, tuple):
        return values * weights[0][rows, None] * weights[1][columns]
    return np.asarray(values * weights[rows, columns])


def _turn(weights: Array | RankOne | None) -> Array | RankOne | None:
    if isinstance(weights, tuple):
        return weights[1], weights[0]
    return None if weights is None else weights.T


def _sparse_norm2(X: Any, weights: Array | RankOne | None) -> float:
    entries = X.tocoo()
    squares = np.square(entries.data, dtype=np.float64)
    return float(weigh_entries(squares, entries, weights).sum())


def weigh_entries(values: Floats, entries: Any, weights: Array | RankOne | None) -> Floats:
    """Weigh values that belong to the entries of a sparse matrix in coordinate format."""
    if weights is None:
        return values
    if isinstance(weights, tuple):
        return np.asarray(values * weights[0][entries.row] * weights[1][entries.col])
    return np.asarray(values * weights[entries.row, entries.col])
