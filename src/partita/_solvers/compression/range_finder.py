"""Leading directions of a matrix by block Krylov iteration."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..compute.types import Array
from ..problem.oriented import Oriented, multiply_gram, products_of, project


class Range(NamedTuple):
    """X ~ Q @ Z with orthonormal Q (n, r), in the inner scale, and the passes it took."""

    Q: Array
    Z: Array
    passes: float


def find_range(problem: Oriented, rank: int, rng: np.random.Generator, *, short: bool) -> Range:
    """Find the leading directions of the short side by a block Krylov iteration.

    Musco & Musco 2015. Random numbers are drawn over the samples only.

    Parameters
    ----------
    problem : Oriented
        Data.
    rank : int
        Directions wanted.
    rng : Generator
        Random numbers.
    short : bool
        Whether the samples are the short side.

    Returns
    -------
    Range
        At most `rank` directions and the data projected on them.
    """
    n, p = problem.matrix.shape
    rank = min(rank, n, p)
    if rank == n:
        Q = np.eye(n, dtype=problem.matrix.dtype)
        return Range(Q, project(problem, Q.T), 0.5)
    # A third of the rank a block: the three blocks of the Krylov space make it up together.
    width = max(1, -(-rank // 3))
    draws = rng.standard_normal((width, n if short else p)).astype(problem.matrix.dtype)
    block, passes = (draws, 0.0) if short else (products_of(problem, draws).A, 0.5)
    bases = [] if short else [_orthonormal(block.T)]
    while len(bases) < 3:
        block = multiply_gram(problem, block)
        bases.append(_orthonormal(block.T))
        block = bases[-1].T
        passes += 1.0
    Q = _orthonormal(np.concatenate(bases, axis=1))[:, :rank].astype(problem.matrix.dtype)
    return Range(Q, project(problem, Q.T), passes + 0.5)


def complement(Q: Array, columns: Array) -> Array:
    """Return orthonormal directions (n, m) that bring some columns into the span with Q (n, r)."""
    basis = Q.astype(np.float64)
    left = columns.astype(np.float64)
    # Twice: what the first leaves of columns close to the span is rounding, and not orthogonal yet.
    for _ in range(2):
        left = _orthonormal(left - basis @ (basis.T @ left))
    return np.asarray(left, Q.dtype)


def _orthonormal(columns: Array) -> Array:
    lengths = np.linalg.norm(columns, axis=0)
    kept = columns[:, lengths > 0] / lengths[lengths > 0]
    return np.asarray(np.linalg.qr(kept)[0])
