"""Leading directions of a matrix by block Krylov iteration."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..compute.types import Array
from ..matrices.streamed import Stream, add
from ..problem.problem import Problem, products_of, project


class Range(NamedTuple):
    """X ~ Q @ Z with orthonormal Q (n, r), in the inner scale, and the passes it took."""

    Q: Array
    Z: Array
    passes: float


def find_range(problem: Problem, rank: int, rng: np.random.Generator, *, short: bool) -> Range:
    """Find the leading directions of the short side by a block Krylov iteration.

    Musco & Musco 2015. Random numbers are drawn over the samples only.

    Parameters
    ----------
    problem : Problem
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
    n, p = problem.blocks.shape
    rank = min(rank, n, p)
    if rank == n:
        Q = np.eye(n, dtype=problem.blocks.dtype)
        return Range(Q, project(problem, Q.T), 0.5)
    width = max(1, -(-rank // 3))
    draws = rng.standard_normal((width, n if short else p)).astype(problem.blocks.dtype)
    block, passes = (draws, 0.0) if short else (products_of(problem, draws).A, 0.5)
    bases = [] if short else [_orthonormal(block.T)]
    while len(bases) < 3:
        block = multiply_gram(problem, block)
        bases.append(_orthonormal(block.T))
        block = bases[-1].T
        passes += 1.0
    Q = _orthonormal(np.concatenate(bases, axis=1))[:, :rank].astype(problem.blocks.dtype)
    return Range(Q, project(problem, Q.T), passes + 0.5)


def multiply_gram(problem: Problem, S: Array) -> Array:
    """Return S @ X @ X.T in the inner scale, in one pass, for S (m, n)."""
    blocks = problem.blocks
    inverse = blocks.dtype.type(1 / problem.scale)
    encoded = blocks.encode(S.astype(blocks.dtype) * inverse)
    if isinstance(blocks, Stream):
        (total,), _ = blocks.run(_gram_part, (encoded, inverse))
        return np.asarray(total.T)

    def work(group: list[slice]) -> Array:
        total = np.zeros((blocks.height, S.shape[0]))
        for block in group:
            total += blocks.spread(blocks.project(encoded, block) * inverse, block)
        return total

    parts = problem.crew.map(work, blocks.groups)
    return np.asarray(blocks.decode(np.add.reduce(parts)).T)


def _gram_part(
    X: Array, so_far: tuple[Array] | None, common: tuple[Array, Any]
) -> tuple[tuple[Array], None]:
    encoded, inverse = common
    return add(so_far, ((X @ (encoded @ X).T * inverse).astype(np.float64),)), None


def complement(Q: Array, columns: Array) -> Array:
    """Return orthonormal directions (n, m) that bring some columns into the span with Q (n, r)."""
    basis = Q.astype(np.float64)
    left = columns.astype(np.float64)
    for _ in range(2):
        left = _orthonormal(left - basis @ (basis.T @ left))
    return np.asarray(left, Q.dtype)


def _orthonormal(columns: Array) -> Array:
    lengths = np.linalg.norm(columns, axis=0)
    kept = columns[:, lengths > 0] / lengths[lengths > 0]
    return np.asarray(np.linalg.qr(kept)[0])
