"""Named and random starts of a factorisation: NNDSVD, random draws, mixtures of samples."""

from __future__ import annotations

import math

import numpy as np

from ..compression.range_finder import Range
from ..compute.types import Array
from ..problem.oriented import Oriented, products_of, project

FILL = 0.05
"""Of the mean, in place of zeros: with half and twice as much losses end within 3e-4."""

_AVERAGED = 4  # columns a component; with half and twice as many fits end alike, in as many rounds

# Of a squared singular value, relative to the largest: beyond what Z @ Z.T is rounded by.
_ROUNDING = {np.dtype(np.float32): 1e-6, np.dtype(np.float64): 1e-13}


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
        level = np.asarray(mean if variant == "nndsvda" else FILL * mean, factor.dtype)
    return np.where(factor == 0, level, factor)


def draw_random(problem: Oriented, k: int, rng: np.random.Generator, *, short: bool) -> Array:
    """Draw non-negative samples (k, n_samples), scaled to the data."""
    n, p = problem.matrix.shape
    draws = np.abs(rng.standard_normal((k, n if short else p)))
    return (draws * math.sqrt(problem.rms / k)).astype(problem.matrix.dtype)


def average_columns(
    found: Range, k: int, rng: np.random.Generator, columns: Array | None = None
) -> Array:
    """Return a short factor (k, n) of averages of columns drawn at random (Albright et al. 2006).

    `columns` is the order of the columns that the draw follows.
    """
    drawn = rng.integers(found.Z.shape[1], size=(_AVERAGED, k))
    drawn = drawn if columns is None else columns[drawn]
    return np.asarray(np.maximum(found.Z[:, drawn].mean(1).T @ found.Q.T, 0))


def mix_samples(problem: Oriented, k: int, rng: np.random.Generator, *, short: bool) -> Array:
    """Return k random non-negative mixtures of the samples of X, in the inner scale."""
    n, p = problem.matrix.shape
    draws = rng.random((k, n if short else p)) ** 4
    draws /= draws.sum(1, keepdims=True)
    if short:
        return np.maximum(project(problem, draws), 0)
    return np.maximum(products_of(problem, draws.astype(problem.matrix.dtype)).A, 0).astype(
        problem.matrix.dtype
    )


def _leading(Z: Array, k: int) -> tuple[Array, Array]:
    """Return the leading singular values and left vectors of Z, numerical zeros left out."""
    gram = (Z @ Z.T).astype(np.float64)
    squares, vectors = np.linalg.eigh(gram)
    squares, vectors = squares[::-1][:k], vectors[:, ::-1][:, :k]
    floor = _ROUNDING[Z.dtype]
    real = squares > floor * max(float(squares[0]), 0.0) if squares.size else squares > 0
    return np.sqrt(squares[real]), vectors[:, real]


def _stronger_half(u: Array, v: Array, *, first: bool) -> tuple[Array, Array]:
    if first:
        return np.abs(u), np.abs(v)
    up, vp, un, vn = np.maximum(u, 0), np.maximum(v, 0), np.maximum(-u, 0), np.maximum(-v, 0)
    positive = np.linalg.norm(up) * np.linalg.norm(vp)
    negative = np.linalg.norm(un) * np.linalg.norm(vn)
    return (up, vp) if positive >= negative else (un, vn)
