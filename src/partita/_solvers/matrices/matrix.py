"""What a solver needs of X, whatever X is: its products, part by part of its columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from ..compute.threads import Crew
from ..compute.types import Array, Floats


class Columns(Protocol):
    """A matrix (n, p) in memory that gives its two products block by block of columns."""

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    height: int
    groups: list[list[slice]]

    def encode(self, S: Array) -> Array:
        """Take the short factor (k, n) to what `project` multiplies blocks with."""
        ...

    def project(self, S: Array, block: slice) -> Array:
        """Return S @ X[:, block] for an encoded S."""
        ...

    def add_spread(self, L: Array, block: slice, A: Array) -> None:
        """Add X[:, block] @ L.T, encoded, to A, for L (k, width)."""
        ...

    def values(self, block: slice) -> Array:
        """Return X[:, block], dense."""
        ...

    def column_norms2(self, block: slice, row_weights: Array | None) -> Floats:
        """Return the squared norm of each column of a block, rows weighted."""
        ...


Sums = tuple[Array, ...]
Work = Callable[..., Sums | None]
"""Given columns, which blocks of them, the sums so far (None at first), what is common to all, and
the arrays read and written, which lie along the columns as the blocks say: returns the sums."""


class Matrix(Protocol):
    """X (n, p): dense, sparse, compressed, or read part by part."""

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    height: int
    at_hand: bool
    """Whether X lies in memory entry by entry, so that a residual costs no more than a product."""
    compact: bool
    """Whether X is so small a stand-in, or so sparse, that a smaller one gains nothing."""
    read_anew: bool
    """Whether every pass reads X from where it is stored."""
    left_out2: float
    """Squared norm of what a stand-in leaves out."""

    def encode(self, S: Array) -> Array:
        """Take the short factor (k, n) to what parts are multiplied with."""
        ...

    def decode(self, A: Array) -> Array:
        """Take a sum over the parts of ``X[:, part] @ L.T`` to X @ L.T."""
        ...

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
        """Apply `work` to all parts of the columns, several at a time: one pass.

        Parameters
        ----------
        work : Work
            Called for each part.
        common : object
            The same for all parts.
        reads, writes : sequence of ndarray, (..., p)
            What is read, and what is filled, along p.
        rows : int
            How many rows along n the sums have.
        crew : Crew
            The threads of this process.

        Returns
        -------
        tuple of ndarray, or None
            The sums.
        """
        ...

    def take(self, columns: Array) -> Matrix:
        """Return some of the columns, copied."""
        ...


def add(total: Any, more: Any) -> Any:
    """Add arrays to the sums so far, in place; None counts as nothing yet."""
    if total is None or more is None:
        return more if total is None else total
    for a, b in zip(total, more, strict=True):
        a += b
    return total
