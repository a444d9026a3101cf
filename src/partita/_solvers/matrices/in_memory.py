"""X in memory: dense, sparse, or compressed, visited in blocks of columns.

Each block is used for both products while it is near.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from ..compute.threads import Crew
from ..compute.types import Array, Floats
from .inner_products import add_products, panels
from .matrix import Sums, Work, add

# Of a block: 1.6 MB of float32, about the second cache of a core. With half and twice as many a
# round on fUSI-like data takes as long.
_BLOCK_ENTRIES = 400_000
# Columns, of a matrix so tall that its blocks are larger: with half and twice as many, fits of
# 20 000 x 1000 take 5 % less and 7 % more.
_LEAST_WIDTH = 256
# Runs of blocks that threads take one after the other: as many, whatever the threads, so that sums
# are added up in the same order.
_GROUPS = 16


class _InMemory:
    """What the kinds in memory share: groups of blocks of columns are worked on as they lie."""

    groups: list[list[slice]]
    at_hand = False
    compact = False
    read_anew = False
    left_out2 = 0.0

    def over_parts(
        self,
        work: Work,
        common: Any,
        *,
        reads: Sequence[Array | None] = (),
        writes: Sequence[Array] = (),
        rows: int = 0,
        crew: Crew,
    ) -> Any:
        """Apply `work` to each group, on the threads of the crew."""

        def on_group(group: list[slice]) -> Sums | None:
            return work(self, group, None, common, *reads, *writes)

        return reduce(add, crew.map(on_group, self.groups))


class Dense(_InMemory):
    """An array as it lies in memory, C or F ordered: nothing of it is copied."""

    at_hand = True

    def __init__(self, X: Array) -> None:
        self.X = X
        self.shape: tuple[int, int] = (X.shape[0], X.shape[1])
        self.dtype = X.dtype
        self.height = self.shape[0]
        self.groups = group_columns(*self.shape)

    def encode(self, S: Array) -> Array:
        """Return S."""
        return S

    def project(self, S: Array, block: slice) -> Array:
        """Return S @ X[:, block]."""
        return _project(S, self.X[:, block])

    def add_spread(self, L: Array, block: slice, A: Array) -> None:
        """Add X[:, block] @ L.T to A."""
        add_products(self.X, block, L, A)

    def decode(self, A: Floats) -> Floats:
        """Return A."""
        return A

    def values(self, block: slice) -> Array:
        """Return X[:, block], dense."""
        return np.asarray(self.X[:, block])

    def column_norms2(self, block: slice, row_weights: Array | None = None) -> Floats:
        """Return the squared norm of each column of a block, rows weighted."""
        return _column_norms2(self.X[:, block], row_weights)

    def take(self, columns: Array) -> Dense:
        """Return some of the columns, copied."""
        return Dense(self.X.take(columns, axis=1))


class Sparse(_InMemory):
    """A scipy.sparse matrix, cut into blocks of columns once."""

    compact = True

    def __init__(self, X: Any) -> None:
        self.shape: tuple[int, int] = X.shape
        self.dtype = X.dtype
        self.height = self.shape[0]
        self.groups = group_columns(*self.shape)
        self._columns = columns = X.tocsc()
        self._parts = {
            block.start: columns[:, block].T.tocsr() for group in self.groups for block in group
        }

    def encode(self, S: Array) -> Array:
        """Return S, component by component."""
        return np.ascontiguousarray(S.T)

    def project(self, S: Array, block: slice) -> Array:
        """Return the transpose of X[:, block].T @ S."""
        return np.ascontiguousarray((self._parts[block.start] @ S).T)

    def add_spread(self, L: Array, block: slice, A: Array) -> None:
        """Add X[:, block] @ L.T to A."""
        A += self._parts[block.start].T @ np.ascontiguousarray(L.T)

    def decode(self, A: Floats) -> Floats:
        """Return A."""
        return A

    def values(self, block: slice) -> Array:
        """Return X[:, block], dense."""
        return np.asarray(self._parts[block.start].T.toarray())

    def column_norms2(self, block: slice, row_weights: Array | None = None) -> Floats:
        """Return the squared norm of each column of a block, rows weighted."""
        part = self._parts[block.start].astype(np.float64)
        squares = part.multiply(part)
        if row_weights is None:
            return np.asarray(squares.sum(axis=1)).ravel()
        return np.asarray(squares @ row_weights.astype(np.float64)).ravel()

    def take(self, columns: Array) -> Sparse:
        """Return some of the columns, copied."""
        return Sparse(self._columns[:, columns])


class Compressed(_InMemory):
    """X ~ Q @ Z with Q (n, r) orthonormal and Z (r, p): products at r / n of the cost.

    `left_out2` is the squared norm of what it leaves out of X.
    """

    def __init__(self, Q: Array, Z: Array, left_out2: float = 0.0) -> None:
        self.Q, self.Z, self.left_out2 = Q, Z, left_out2
        self.shape: tuple[int, int] = (Q.shape[0], Z.shape[1])
        self.dtype = Z.dtype
        self.height = Z.shape[0]
        self.groups = group_columns(*Z.shape)

    def encode(self, S: Array) -> Array:
        """Return S @ Q."""
        return np.asarray(S @ self.Q)

    def project(self, S: Array, block: slice) -> Array:
        """Return S @ Z[:, block]."""
        return _project(S, self.Z[:, block])

    def add_spread(self, L: Array, block: slice, A: Array) -> None:
        """Add Z[:, block] @ L.T to A."""
        add_products(self.Z, block, L, A)

    def decode(self, A: Floats) -> Floats:
        """Return Q @ A."""
        return np.asarray(self.Q @ A)

    def values(self, block: slice) -> Array:
        """Return X[:, block], dense."""
        return np.asarray(self.Q @ self.Z[:, block])

    def column_norms2(self, block: slice, row_weights: Array | None = None) -> Floats:
        """Return the squared norm of each column of a block, rows weighted."""
        if row_weights is None:
            return _column_norms2(self.Z[:, block], None)
        gram = (self.Q * row_weights[:, None]).T.astype(np.float64) @ self.Q
        part = self.Z[:, block].astype(np.float64)
        return np.asarray(np.einsum("ij,ij->j", part, gram @ part))

    def take(self, columns: Array) -> Compressed:
        """Return some of the columns, copied."""
        share = columns.size / self.shape[1]
        Z = np.ascontiguousarray(self.Z[:, columns])
        return Compressed(self.Q, Z, self.left_out2 * share)


def _project(S: Array, X: Array) -> Array:
    """Return S @ X, C ordered."""
    out = np.empty((len(S), X.shape[1]), X.dtype)
    for panel in panels(X.shape[1]):
        np.matmul(S, X[:, panel], out=out[:, panel])
    return out


def _column_norms2(part: Array, row_weights: Array | None) -> Floats:
    if row_weights is None:
        return np.asarray(np.einsum("ij,ij->j", part, part, dtype=np.float64))
    return np.asarray(np.einsum("i,ij,ij->j", row_weights, part, part, dtype=np.float64))


def group_columns(n: int, p: int) -> list[list[slice]]:
    """Cut p columns into blocks, and the blocks into runs, by the shape alone."""
    width = max(_LEAST_WIDTH, _BLOCK_ENTRIES // max(1, n) // 64 * 64)
    blocks = [slice(a, min(a + width, p)) for a in range(0, p, width)]
    size = -(-len(blocks) // _GROUPS)
    return [blocks[a : a + size] for a in range(0, len(blocks), size)]
