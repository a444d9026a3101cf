"""Data as a divergence takes them: block by block, scaled, weighted."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from ..compute.types import Array, RankOne
from .products import root_mean_square

BLOCK_ENTRIES = 1 << 18
"""Of a block: a megabyte of float32, of which a divergence holds half a dozen at a time.

With half and twice as many a Kullback-Leibler fit of fUSI-like data takes as long.
"""

_ZERO_SHARE = 1e-3  # of the least positive value: a zero is a value too small to be read off
# Of Y in units of the rms of X: so far below it that no fit comes there, and its inverse squared
# is still a number of the dtype.
_FLOOR = {np.dtype(np.float32): 1e-12, np.dtype(np.float64): 1e-30}


class Data(NamedTuple):
    """X (n, p) with what its divergence needs; `take` gives it block by block of columns.

    Values come multiplied by `scale`, a power of two that brings their rms near 1, so that
    neither float32 nor the floor of Y sees the units of X. Zeros come as `fill`, which is 0
    unless beta is.
    """

    X: Any
    weights: Array | RankOne | None
    beta: float
    scale: float
    rms: float
    fill: float = 0.0

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of X."""
        kind: np.dtype[Any] = np.dtype(self.X.dtype)
        return kind

    @property
    def floor(self) -> float:
        """The least value of Y, in the scaled units."""
        return _FLOOR[self.dtype]

    @property
    def unit(self) -> float:
        """How much the divergence of the scaled values exceeds that of X."""
        return float(self.scale**self.beta)

    def blocks(self, entries: int = BLOCK_ENTRIES) -> list[slice]:
        """Cut the columns into blocks of about as many entries."""
        n, p = self.X.shape
        width = max(1, min(p, entries // max(1, n)))
        return [slice(a, min(a + width, p)) for a in range(0, p, width)]

    def take(self, block: slice) -> tuple[Array, Array | None]:
        """Return scaled values (n, width) and their weights, dense and C ordered."""
        values = self.X[:, block]
        values = values.toarray() if scipy.sparse.issparse(values) else values
        factor = self.dtype.type(self.scale)
        if self.weights is None:
            X, M = np.multiply(values, factor, order="C"), None
        else:
            M = self._weights_of(block)
            X = np.zeros(M.shape, self.dtype)
            np.multiply(values, factor, out=X, where=M > 0)
        if self.fill > 0:
            X[X == 0] = self.fill
        return X, M

    def _weights_of(self, block: slice) -> Array:
        if isinstance(self.weights, tuple):
            rows, columns = self.weights
            return np.multiply.outer(rows, columns[block]).astype(self.dtype)
        assert self.weights is not None
        return np.array(self.weights[:, block], dtype=self.dtype, order="C")

    def unseen(self) -> tuple[Array, Array]:
        """Return which rows and which columns of X have no weight at all."""
        n, p = self.X.shape
        if self.weights is None:
            return np.zeros(n, bool), np.zeros(p, bool)
        if isinstance(self.weights, tuple):
            return np.equal(self.weights[0], 0), np.equal(self.weights[1], 0)
        seen = np.greater(self.weights, 0)
        return np.logical_not(seen.any(axis=1)), np.logical_not(seen.any(axis=0))

    def turned(self) -> Data:
        """Return the same for the transpose of X."""
        if isinstance(self.weights, tuple):
            weights: Array | RankOne | None = (self.weights[1], self.weights[0])
        else:
            weights = None if self.weights is None else self.weights.T
        X = self.X.T.tocsc() if scipy.sparse.issparse(self.X) else self.X.T
        return self._replace(X=X, weights=weights)


def prepare(X: Any, *, beta: float, weights: Array | RankOne | None = None) -> Data:
    """Look once at X, sparse or dense, and choose its scale."""
    if scipy.sparse.issparse(X):
        X = X.tocsc()
    rms = root_mean_square(X, weights)
    scale = 2.0 ** -round(math.log2(rms)) if rms > 0 else 1.0
    data = Data(X, weights, beta, scale, rms * scale)
    return data if beta > 0 else data._replace(fill=_ZERO_SHARE * _least_positive(data))


def _least_positive(data: Data) -> float:
    """Return the smallest positive value with a weight, scaled; 0 where there is none."""
    least = math.inf
    for block in data.blocks():
        X, _ = data.take(block)
        least = min(least, float(X.min(where=X > 0, initial=math.inf)))
    return least if math.isfinite(least) else 0.0
