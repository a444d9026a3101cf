"""How much a matrix varies: its squares, and those of what is left without the columns' means."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from ..compute.types import Array, Floats, RankOne
from . import products
from .streamed import Stream


class Spread(NamedTuple):
    """Squares of all values, and of those less their columns' means."""

    total: float
    centred: float


class Moments(NamedTuple):
    """Squares of a matrix (n, p), sums of its columns (p,) and what these are sums of (p,).

    All are weighted where the matrix is.
    """

    total: float
    sums: Floats
    mass: Floats

    @classmethod
    def none(cls, p: int) -> Moments:
        """Return the moments of no rows."""
        return cls(0.0, np.zeros(p), np.zeros(p))

    @property
    def spread(self) -> Spread:
        """How much is left without the means, than which no other number a column leaves less."""
        means2 = np.divide(
            np.square(self.sums), self.mass, out=np.zeros_like(self.sums), where=self.mass > 0
        )
        return Spread(self.total, max(self.total - float(means2.sum()), 0.0))

    def plus(self, other: Moments) -> Moments:
        """Return the moments of both, one below the other."""
        return Moments(self.total + other.total, self.sums + other.sums, self.mass + other.mass)


def spread(X: Any, weights: Array | RankOne | None = None) -> Spread:
    """Return the squares of X, and those of what is left without the columns' means.

    Parameters
    ----------
    X : ndarray, scipy.sparse matrix or Stream, (n, p)
        Samples by features.
    weights : ndarray, (n, p), or tuple of ndarray, (n,) and (p,), optional
        A weight for each squared entry, or its two rank-one factors.

    Examples
    --------
    >>> spread(np.array([[1.0, 2.0], [3.0, 2.0]]))
    Spread(total=18.0, centred=2.0)
    """
    if isinstance(X, Stream):
        return Spread(X.norm2, X.centred2)
    return moments(X, weights).spread


def moments(X: Any, weights: Array | RankOne | None = None) -> Moments:
    """Return the moments of X in memory, as `spread` takes it."""
    n, p = X.shape
    if weights is None:
        mass = np.full(p, float(n))
    elif isinstance(weights, tuple):
        mass = weights[0].sum(dtype=np.float64) * weights[1].astype(np.float64)
    else:
        mass = weights.sum(axis=0, dtype=np.float64)
    return Moments(products.norm2(X, weights), _column_sums(X, weights), mass)


def _column_sums(X: Any, weights: Array | RankOne | None) -> Floats:
    if scipy.sparse.issparse(X):
        entries = X.tocoo()
        values = products.weigh_entries(entries.data.astype(np.float64), entries, weights)
        return np.bincount(entries.col, values, X.shape[1]).astype(np.float64, copy=False)
    sums = np.zeros(X.shape[1])
    for (rows, columns), values in products.dense_blocks(X):
        weighted = products.weigh(values, (rows, columns), weights)
        sums[columns] += weighted.sum(axis=0, dtype=np.float64)
    return sums
