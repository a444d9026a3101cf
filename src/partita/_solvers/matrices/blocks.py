"""X as a solver visits it: in blocks of columns, each used for both products while it is near."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import scipy.sparse

from ..compute.types import Array
from .streamed import Stream

_BLOCK_ENTRIES = 400_000
_LEAST_WIDTH = 256
_GROUPS = 16


class Lies(NamedTuple):
    """What encoded factors multiply, as it lies in memory: C order, or turned and then in it."""

    X: Array
    turned: bool


class Blocks(Protocol):
    """A matrix (n, p) that gives its two products block by block of columns."""

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    height: int
    groups: list[list[slice]]
    lies: Lies | None

    def encode(self, S: Array) -> Array:
        """Take the short factor (k, n) to what `project` multiplies blocks with."""
        ...

    def project(self, S: Array, block: slice) -> Array:
        """Return S @ X[:, block] for an encoded S."""
        ...

    def spread(self, L: Array, block: slice) -> Array:
        """Return X[:, block] @ L.T, encoded, for L (k, width)."""
        ...

    def decode(self, A: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Take a sum of `spread` to X @ L.T."""
        ...

    def column_norms2(self, block: slice) -> npt.NDArray[np.float64]:
        """Return the squared norm of each column of a block."""
        ...

    def take(self, columns: Array) -> Blocks:
        """Return some of the columns, copied."""
        ...


class Dense:
    """An array as it lies in memory, C or F ordered: nothing of it is copied."""

    def __init__(self, X: Array) -> None:
        self.X = X
        self.shape: tuple[int, int] = (X.shape[0], X.shape[1])
        self.dtype = X.dtype
        self.height = self.shape[0]
        self.groups = group_columns(*self.shape)
        self.lies = _where(X)

    def encode(self, S: Array) -> Array:
        """Return S."""
        return S

    def project(self, S: Array, block: slice) -> Array:
        """Return S @ X[:, block]."""
        return np.ascontiguousarray(S @ self.X[:, block])

    def spread(self, L: Array, block: slice) -> Array:
        """Return X[:, block] @ L.T."""
        return np.asarray(self.X[:, block] @ L.T)

    def decode(self, A: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return A."""
        return A

    def column_norms2(self, block: slice) -> npt.NDArray[np.float64]:
        """Return the squared norm of each column of a block."""
        return _column_norms2(self.X[:, block])

    def take(self, columns: Array) -> Dense:
        """Return some of the columns, copied."""
        return Dense(self.X.take(columns, axis=1))


class Sparse:
    """A scipy.sparse matrix, cut into blocks of columns once."""

    def __init__(self, X: Any) -> None:
        self.shape: tuple[int, int] = X.shape
        self.dtype = X.dtype
        self.height = self.shape[0]
        self.groups = group_columns(*self.shape)
        self.lies: Lies | None = None
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

    def spread(self, L: Array, block: slice) -> Array:
        """Return X[:, block] @ L.T."""
        return np.asarray(self._parts[block.start].T @ np.ascontiguousarray(L.T))

    def decode(self, A: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return A."""
        return A

    def column_norms2(self, block: slice) -> npt.NDArray[np.float64]:
        """Return the squared norm of each column of a block."""
        part = self._parts[block.start].astype(np.float64)
        return np.asarray(part.multiply(part).sum(axis=1)).ravel()

    def take(self, columns: Array) -> Sparse:
        """Return some of the columns, copied."""
        return Sparse(self._columns[:, columns])


class Compressed:
    """X ~ Q @ Z with Q (n, r) orthonormal and Z (r, p): products at r / n of the cost."""

    def __init__(self, Q: Array, Z: Array) -> None:
        self.Q, self.Z = Q, Z
        self.shape: tuple[int, int] = (Q.shape[0], Z.shape[1])
        self.dtype = Z.dtype
        self.height = Z.shape[0]
        self.groups = group_columns(*Z.shape)
        self.lies = _where(Z)

    def encode(self, S: Array) -> Array:
        """Return S @ Q."""
        return np.asarray(S @ self.Q)

    def project(self, S: Array, block: slice) -> Array:
        """Return S @ Z[:, block]."""
        return np.ascontiguousarray(S @ self.Z[:, block])

    def spread(self, L: Array, block: slice) -> Array:
        """Return Z[:, block] @ L.T."""
        return np.asarray(self.Z[:, block] @ L.T)

    def decode(self, A: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return Q @ A."""
        return np.asarray(self.Q @ A)

    def column_norms2(self, block: slice) -> npt.NDArray[np.float64]:
        """Return the squared norm of each column of a block."""
        return _column_norms2(self.Z[:, block])

    def take(self, columns: Array) -> Compressed:
        """Return some of the columns, copied."""
        return Compressed(self.Q, np.ascontiguousarray(self.Z[:, columns]))


def as_blocks(X: Any) -> Blocks | Stream:
    """Give X, dense, scipy.sparse or a stream, as blocks."""
    if isinstance(X, Stream):
        return X
    return Sparse(X) if scipy.sparse.issparse(X) else Dense(X)


def _where(X: Array) -> Lies | None:
    if X.flags.c_contiguous:
        return Lies(X, turned=False)
    return Lies(X.T, turned=True) if X.flags.f_contiguous else None


def _column_norms2(part: Array) -> npt.NDArray[np.float64]:
    return np.asarray(np.einsum("ij,ij->j", part, part, dtype=np.float64))


def group_columns(n: int, p: int) -> list[list[slice]]:
    """Cut p columns into blocks, and the blocks into runs, by the shape alone."""
    width = max(_LEAST_WIDTH, _BLOCK_ENTRIES // max(1, n) // 64 * 64)
    blocks = [slice(a, min(a + width, p)) for a in range(0, p, width)]
    size = -(-len(blocks) // _GROUPS)
    return [blocks[a : a + size] for a in range(0, len(blocks), size)]
