"""Where a factorisation starts: leading directions by block Krylov, NNDSVD, random."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .objective import Array
from .problem import Problem, products_of, project
from .streams import Stream, add

_FILL = 0.05


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


def nndsvd(found: Range, k: int) -> tuple[Array, Array]:
    """Return the non-negative double SVD, exact zeros included.

    Boutsidis & Gallopoulos 2008: of each pair of singular vectors the stronger of the two
    same-signed halves.

    Parameters
    ----------
    found : Range
        Leading directions of X.
    k : int
        Components; beyond the rank of `found` they are zero.

    Returns
    -------
    tuple of ndarray, (k, n) and (k, p)
        Both factors with rows of equal length, component by component.
    """
    n, p = found.Q.shape[0], found.Z.shape[1]
    S, L = np.zeros((k, n), found.Z.dtype), np.zeros((k, p), found.Z.dtype)
    values, vectors = _leading(found.Z, k)
    left = (found.Q.astype(np.float64) @ vectors).T
    right = vectors.T.astype(found.Z.dtype) @ found.Z
    for j, value in enumerate(values):
        u, v = _stronger_half(left[j], right[j].astype(np.float64) / value, first=j == 0)
        u_length, v_length = np.linalg.norm(u), np.linalg.norm(v)
        if u_length * v_length == 0.0:
            continue
        size = math.sqrt(value * u_length * v_length)
        S[j], L[j] = size / u_length * u, size / v_length * v
    return S, L


def fill_zeros(factor: Array, *, variant: str, rng: np.random.Generator, samples: bool) -> Array:
    """Lift exact zeros of a start: a little ("auto"), to the mean ("nndsvda") or at random.

    Parameters
    ----------
    factor : ndarray, (k, m)
        A start.
    variant : str
        "auto", "nndsvd" (nothing), "nndsvda" or "nndsvdar".
    rng : Generator
        Random numbers, one a component and sample; along features they repeat nothing but the
        component's own draw.
    samples : bool
        Whether m counts samples.

    Returns
    -------
    ndarray, (k, m)
        A new array.
    """
    if variant == "nndsvd":
        return factor.copy()
    mean = float(factor.mean(dtype=np.float64))
    if variant == "nndsvdar":
        draws = rng.random((factor.shape[0], factor.shape[1] if samples else 1))
        level = 0.01 * mean * draws.astype(factor.dtype)
    else:
        level = np.asarray(mean if variant == "nndsvda" else _FILL * mean, factor.dtype)
    return np.where(factor == 0, level, factor)


def draw_random(problem: Problem, k: int, rng: np.random.Generator, *, short: bool) -> Array:
    """Draw non-negative samples (k, n_samples), scaled to the data."""
    n, p = problem.blocks.shape
    draws = np.abs(rng.standard_normal((k, n if short else p)))
    return (draws * math.sqrt(problem.rms / k)).astype(problem.blocks.dtype)


def draw_within(found: Range, k: int, rng: np.random.Generator, *, short: bool) -> Array:
    """Draw the short factor (k, n) at random within the leading directions, clipped at zero."""
    if short:
        draws = rng.standard_normal((k, found.Q.shape[0])).astype(found.Q.dtype) @ found.Q
    else:
        draws = rng.standard_normal((k, found.Z.shape[1])).astype(found.Z.dtype) @ found.Z.T
    return np.asarray(np.maximum(draws @ found.Q.T, 0))


def mix_samples(problem: Problem, k: int, rng: np.random.Generator, *, short: bool) -> Array:
    """Return k random non-negative mixtures of the samples of X, in the inner scale."""
    n, p = problem.blocks.shape
    draws = rng.random((k, n if short else p)) ** 4
    draws /= draws.sum(1, keepdims=True)
    if short:
        return np.maximum(project(problem, draws), 0)
    return np.maximum(products_of(problem, draws.astype(problem.blocks.dtype)).A, 0).astype(
        problem.blocks.dtype
    )


def _orthonormal(columns: Array) -> Array:
    lengths = np.linalg.norm(columns, axis=0)
    kept = columns[:, lengths > 0] / lengths[lengths > 0]
    return np.asarray(np.linalg.qr(kept)[0])


def _leading(Z: Array, k: int) -> tuple[Array, Array]:
    """Return the leading singular values and left vectors of Z, numerical zeros left out."""
    gram = (Z @ Z.T).astype(np.float64)
    squares, vectors = np.linalg.eigh(gram)
    squares, vectors = squares[::-1][:k], vectors[:, ::-1][:, :k]
    floor = 1e-6 if Z.dtype == np.float32 else 1e-13
    real = squares > floor * max(float(squares[0]), 0.0) if squares.size else squares > 0
    return np.sqrt(squares[real]), vectors[:, real]


def _stronger_half(u: Array, v: Array, *, first: bool) -> tuple[Array, Array]:
    if first:
        return np.abs(u), np.abs(v)
    up, vp, un, vn = np.maximum(u, 0), np.maximum(v, 0), np.maximum(-u, 0), np.maximum(-v, 0)
    positive = np.linalg.norm(up) * np.linalg.norm(vp)
    negative = np.linalg.norm(un) * np.linalg.norm(vn)
    return (up, vp) if positive >= negative else (un, vn)
