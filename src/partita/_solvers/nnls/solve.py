"""Signals for given maps: non-negative least squares for many right-hand sides, exactly.

The quadratic of a row needs of the data only C = X @ H.T, and of the maps only G = H @ H.T.
Coordinate descent finds the face of the orthant and, where G is well conditioned, the minimum
to rounding; every other row ends on a Cholesky solution of its face, as in an active-set method
(Lawson & Hanson 1974; Kim & Park 2011, doi:10.1137/110821172). Either way it is exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from ..compute.threads import Crew, single_blas
from ..compute.types import Array, Floats, RankOne
from ..penalties.penalty import FREE, Terms
from . import active_set, coordinate_descent

_BLOCK_ENTRIES = 1 << 19
_MOST_COLUMNS = 4096
_SUMMED_IN_FLOAT32 = 1024
_WELL_CONDITIONED = 1e-2
_MOST_SWEEPS = 30
_SETTLED = {np.dtype(np.float32): 1e-8, np.dtype(np.float64): 1e-13}
_MOST_GROUP_SWEEPS = 2000


def solve_gram(G: Array, C: Array, *, start: Array | None = None) -> Array:
    """Solve ``min_{w >= 0} w'Gw / 2 - c'w`` for every column c of C.

    Parameters
    ----------
    G : ndarray, (k, k)
        Gram matrix; it may be singular, and components whose diagonal is 0 get 0.
    C : ndarray, (k, m)
        Linear terms, one right-hand side a column.
    start : ndarray, (k, m), optional
        A guess, which shortens the way and changes the answer by rounding only.

    Returns
    -------
    ndarray, (k, m)
        The minima, in the dtype of C.

    Examples
    --------
    >>> import numpy as np
    >>> solve_gram(np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([[3.0], [-1.0]]))
    array([[1.5],
           [0. ]])
    """
    gram, linear = np.asarray(G, np.float64)[None], np.ascontiguousarray(C.T, np.float64)
    W = np.empty_like(linear)

    def solve_block(rows: slice) -> None:
        guess = None if start is None else np.array(start.T[rows], np.float64, order="C")
        settled = _SETTLED[np.dtype(np.float64)] if start is None else None
        W[rows] = _minimise(gram, linear[rows], settled=settled, start=guess)

    with Crew() as crew:
        crew.map(solve_block, _row_blocks(linear.shape[0], linear.shape[1]))
    return np.ascontiguousarray(W.T, dtype=C.dtype)


def solve_least_squares(
    X: Any, H: Array, terms: Terms = FREE, *, weights: Array | RankOne | None = None
) -> Array:
    """Find the signals W >= 0 (n, k) that fit X (n, p) best with the maps H (k, p), exactly.

    Parameters
    ----------
    X : ndarray or scipy.sparse matrix, (n, p)
        Data.
    H : ndarray, (k, p)
        Non-negative maps; those that are all zero get signals of zero.
    terms : Terms
        The penalty as a row of W sees it; none by default.
    weights : ndarray, (n, p), or tuple of ndarray, (n,) and (p,), optional
        A weight for the misfit of each entry, or its two rank-one factors. A sample without
        any weight gets signals of zero.

    Returns
    -------
    ndarray, (n, k)
        In the dtype of X.
    """
    if weights is not None and not isinstance(weights, tuple):
        return _solve_weighted(X, H, weights, terms)
    return _solve_shared(X, H, weights, terms)


def _solve_shared(X: Any, H: Array, weights: RankOne | None, terms: Terms) -> Array:
    """Solve with one Gram matrix for all rows, up to the weight of each row."""
    n, k = X.shape[0], H.shape[0]
    maps = H.astype(np.float64)
    right = maps if weights is None else maps * weights[1]
    by_row = np.ones(n) if weights is None else np.asarray(weights[0], np.float64)
    scale = np.divide(1.0, by_row, out=np.zeros(n), where=by_row > 0)
    gram = right @ maps.T
    grams = gram[None]
    if terms.ridge.any():
        ridge = np.ones(1) if bool((by_row == 1).all()) else scale
        grams = gram + ridge[:, None, None] * np.diag(terms.ridge)
    cross = Cross(X, right, single=_is_easy(X, gram))
    penalised = terms.group.any()
    W = np.zeros((n, k), np.float64 if penalised else X.dtype)
    C = np.zeros((n, k)) if penalised else None

    def solve_block(rows: slice) -> None:
        linear = cross.rows(rows) - scale[rows, None] * terms.linear
        linear[by_row[rows] == 0] = 0.0
        own = grams if len(grams) == 1 else grams[rows]
        W[rows] = _minimise(own, linear, settled=_SETTLED[X.dtype])
        if C is not None:
            C[rows] = linear

    with single_blas(), Crew() as crew:
        crew.map(solve_block, _row_blocks(n, X.shape[1]))
    if C is not None:
        _shrink_groups(grams * by_row[:, None, None], C * by_row[:, None], terms.group, W)
    return W.astype(X.dtype, copy=False)


def _solve_weighted(X: Any, H: Array, weights: Array, terms: Terms) -> Array:
    """Solve with a Gram matrix for each row, from the products of pairs of maps."""
    n, k = X.shape[0], H.shape[0]
    maps = H.astype(np.float64)
    first, second = np.tril_indices(k)
    W = np.zeros((n, k))
    whole = bool(terms.group.any())
    rows_at_once = n if whole else max(1, _BLOCK_ENTRIES // max(k * k, X.shape[1]))
    for start in range(0, n, rows_at_once):
        rows = slice(start, min(start + rows_at_once, n))
        M = weights[rows].astype(np.float64)
        values = X[rows].toarray() if scipy.sparse.issparse(X) else X[rows]
        C = np.where(M > 0, M * values, 0.0) @ maps.T - terms.linear
        grams = np.empty((C.shape[0], k, k))
        pairs = _pair_sums(M, maps, first, second)
        grams[:, first, second] = pairs
        grams[:, second, first] = pairs
        grams += np.diag(terms.ridge)
        W[rows] = _minimise(grams, C)
        if whole:
            _shrink_groups(grams, C, terms.group, W)
    return W.astype(X.dtype)


def _pair_sums(M: Floats, maps: Floats, first: Array, second: Array) -> Floats:
    """Return the lower triangles of ``maps @ diag(m) @ maps.T`` for the rows m of M."""
    sums = np.zeros((M.shape[0], first.size))
    width = max(1, _BLOCK_ENTRIES // first.size)
    for start in range(0, M.shape[1], width):
        part = maps[:, start : start + width]
        sums += M[:, start : start + width] @ (part[first] * part[second]).T
    return sums


def _minimise(
    grams: Floats, C: Floats, *, settled: float | None = None, start: Floats | None = None
) -> Floats:
    """Solve rows that share a Gram matrix or have one each, from a start or from 0."""
    m, k = C.shape
    rounds = 200 + 20 * k
    W = np.zeros((m, k)) if start is None else start
    C, grams = np.ascontiguousarray(C), np.ascontiguousarray(grams)
    if settled is None or len(grams) > 1:
        active_set.solve_rows(grams, C, W, 0, m, rounds)
        return W
    shared, scale = _normalise(grams[0])
    for first in coordinate_descent.sweep_shared(shared, scale, C, W, 0, m, settled, _MOST_SWEEPS):
        active_set.solve_rows(grams, C, W, first, min(first + coordinate_descent.TILE, m), rounds)
    return W


def _normalise(gram: Floats) -> tuple[Floats, Floats]:
    """Scale the diagonal of a Gram matrix to ones; components without any get scale 0."""
    diagonal = np.diag(gram)
    scale = np.divide(1.0, np.sqrt(diagonal), out=np.zeros(diagonal.size), where=diagonal > 0)
    return gram * scale * scale[:, None], scale


def _is_easy(X: Any, gram: Floats) -> bool:
    """Whether products in float32 cost less than the rounding of float32 data did."""
    if X.dtype != np.float32:
        return False
    return float(np.linalg.eigvalsh(_normalise(gram)[0])[0]) > _WELL_CONDITIONED


def _row_blocks(n: int, p: int) -> list[slice]:
    """Cut n rows into blocks, several for each thread and few enough values to stay in cache."""
    width = min(-(-n // 8), _BLOCK_ENTRIES // min(p, _MOST_COLUMNS))
    width = max(
        coordinate_descent.TILE, -(-width // coordinate_descent.TILE) * coordinate_descent.TILE
    )
    return [slice(a, min(a + width, n)) for a in range(0, n, width)]


class Cross:
    """Rows of X @ H.T, multiplied in float64, or in float32 and added up in float64."""

    def __init__(self, X: Any, H: Floats, *, single: bool) -> None:
        self.X = X.tocsr() if scipy.sparse.issparse(X) else X
        self.kind = np.float32 if single else np.float64
        self.step = _SUMMED_IN_FLOAT32 if single else _MOST_COLUMNS
        self.right = np.ascontiguousarray(H.T, dtype=self.kind)

    def rows(self, rows: slice) -> Floats:
        """Return a block of rows."""
        if scipy.sparse.issparse(self.X):
            return np.asarray(self.X[rows].astype(np.float64) @ self.right.astype(np.float64))
        C = np.zeros((rows.stop - rows.start, self.right.shape[1]))
        for column in range(0, self.right.shape[0], self.step):
            columns = slice(column, column + self.step)
            C += self.X[rows, columns].astype(self.kind, copy=False) @ self.right[columns]
        return C


def _shrink_groups(grams: Floats, C: Floats, group: Floats, W: Floats) -> None:
    """Add ``group_j * |w_j|`` to the objective and solve it by descent over whole components.

    Each component has a closed form where all rows share their Gram matrix, else a majorised
    one with the largest curvature of its rows.
    """
    k = C.shape[1]
    curvature = grams[:, range(k), range(k)].max(axis=0)
    for _ in range(_MOST_GROUP_SWEEPS):
        largest_move = 0.0
        for j in np.flatnonzero(curvature > 0):
            slope = np.einsum("ni,ni->n", np.broadcast_to(grams[:, j], C.shape), W) - C[:, j]
            ahead = np.maximum(0.0, W[:, j] - slope / curvature[j])
            length = np.linalg.norm(ahead)
            shrink = max(0.0, 1.0 - group[j] / (curvature[j] * length)) if length > 0 else 0.0
            move = shrink * ahead - W[:, j]
            W[:, j] += move
            largest_move = max(largest_move, float(np.sqrt(curvature[j]) * np.linalg.norm(move)))
        size = float(np.sqrt((curvature * W**2).sum()))
        if largest_move <= 1e-10 * size:
            return
