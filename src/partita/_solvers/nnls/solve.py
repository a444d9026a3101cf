"""Signals for given maps: non-negative least squares for many right-hand sides, exactly.

The quadratic of a row needs of the data only C = X @ H.T, and of the maps only G = H @ H.T.
Coordinate descent finds the face of the orthant, and a Cholesky solution of it is the end, as in
an active-set method (Lawson & Hanson 1974; Kim & Park 2011, doi:10.1137/110821172).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse

from ..compute.threads import Crew, single_blas
from ..compute.types import Array, Floats, RankOne
from ..penalties.penalty import NONE, UNWEIGHTED, Penalty, Terms, Weights
from .active_set import solve_rows

# Times and errors below are of 18 240 rows of 400 features and thirty components, float32.
_BLOCK_ENTRIES = 1 << 19  # of a block of rows; half and twice as many take as long
_LEAST_ROWS = 128  # of a block
_MOST_COLUMNS = 4096  # of a block at a time; half and twice as many take as long
_SUMMED_IN_FLOAT32 = 1024  # columns; sums of 400 are off by 2e-6 of a signal, of 128 by 7e-7
# Least eigenvalue of a Gram matrix with ones on its diagonal, above which errors of float32 grow no
# more than a hundredfold; products in float64 make a solve 6 % longer.
_WELL_CONDITIONED = 1e-2
# Rounds of a penalty majorised anew; those that shrink whole components need most.
_MOST_MAJORISATIONS, _SETTLED_AT, _LIFT, _SILENCED = 2000, 1e-10, 1e-3, 1e-8


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
    linear = np.ascontiguousarray(C.T, np.float64)
    guess = None if start is None else start.T
    W = _minimise_rows(np.asarray(G, np.float64), linear, start=guess)
    return np.ascontiguousarray(W.T, dtype=C.dtype)


def solve_least_squares(
    X: Any,
    H: Array,
    *,
    penalty: Penalty = NONE,
    weights: Array | RankOne | None = None,
) -> Array:
    """Find the signals W >= 0 (n, k) that fit X (n, p) best with the maps H (k, p), exactly.

    Parameters
    ----------
    X : ndarray or scipy.sparse matrix, (n, p)
        Data.
    H : ndarray, (k, p)
        Non-negative maps; those that are all zero get signals of zero.
    penalty : Penalty
        Measured by the data already; none by default.
    weights : ndarray, (n, p), or tuple of ndarray, (n,) and (p,), optional
        A weight for the misfit of each entry, or its two rank-one factors. A sample without
        any weight gets signals of zero, unless the penalty ties it to others.

    Returns
    -------
    ndarray, (n, k)
        In the dtype of X.
    """
    if weights is None or isinstance(weights, tuple):
        return _solve_shared(X, H, weights, penalty)
    return _solve_weighted(X, H, weights, penalty)


def solve_normal(
    gram: Floats, C: Floats, H: Array, penalty: Penalty = NONE, *, weights: Weights = UNWEIGHTED
) -> Floats:
    """Solve the normal equations of all signals under W >= 0 and a penalty.

    Parameters
    ----------
    gram : ndarray, (k, k), or (n, k, k) with one for each sample
        Products of the maps.
    C : ndarray, (n, k)
        Products of the data with the maps.
    H : ndarray, (k, p)
        The maps.
    penalty : Penalty
        Measured by the data already; none by default.
    weights : tuple of ndarray, (n,) and (p,), or None
        Weights of samples and features.

    Returns
    -------
    ndarray, (n, k)
        Signals. A penalty is majorised again where they have moved to, until they move no further.
    """
    W = _minimise_rows(gram, C)
    if not penalty.active:
        return W
    lengths = np.linalg.norm(W, axis=0)
    begin = np.maximum(W, _LIFT * float(W.max(initial=0.0)))  # what is zero might be so no longer

    def terms_at(signals: Floats) -> Terms:
        return penalty.majorise(signals.T, H, signals=True, weights=weights)

    W = solve_majorised(gram, C, terms_at, begin)
    silenced = np.linalg.norm(W, axis=0) <= _SILENCED * lengths
    return np.asarray(np.where(silenced, 0.0, W))


def solve_majorised(
    gram: Floats, C: Floats, terms_at: Callable[[Floats], Terms], begin: Floats
) -> Floats:
    """Solve normal equations under W >= 0 and a penalty that is majorised where W has moved to.

    Between the rounds W runs ahead as long as that leads on (Beck & Teboulle 2009; O'Donoghue &
    Candes 2015): neighbours that are tied strongly move one round at a time.

    Parameters
    ----------
    gram : ndarray, (k, k), or (n, k, k)
        Products of the maps.
    C : ndarray, (n, k)
        Products of the data with the maps.
    terms_at : callable
        Gives the terms of the penalty at signals (n, k).
    begin : ndarray, (n, k)
        Where to start.
    """
    at, before, age = begin, begin, 1.0
    for _ in range(_MOST_MAJORISATIONS):
        terms = terms_at(at)
        W = _minimise_rows(_with_terms(gram, terms), C - terms.linear.T, start=at)
        if np.linalg.norm(W - at) <= _SETTLED_AT * np.linalg.norm(W):
            break
        age = 1.0 if np.vdot(at - W, W - before) > 0 else age
        older = 0.5 * (1.0 + math.sqrt(1.0 + 4.0 * age**2))
        at = np.maximum(W + (age - 1.0) / older * (W - before), 0.0)
        before, age = W, older
    return W


def _with_terms(gram: Floats, terms: Terms) -> Floats:
    gram = gram if terms.gram is None else gram + terms.gram
    ridge = terms.ridge.T
    if len(ridge) == 1:
        return np.asarray(gram + np.diag(ridge[0]))
    return np.asarray(gram + ridge[:, :, None] * np.eye(gram.shape[-1]))


def _minimise_rows(gram: Floats, C: Floats, *, start: Floats | None = None) -> Floats:
    """Solve all rows, some on each thread."""
    W = np.empty(C.shape)
    grams = gram[None] if gram.ndim == 2 else gram

    def solve_block(rows: slice) -> None:
        guess = None if start is None else np.array(start[rows], np.float64, order="C")
        own = grams if len(grams) == 1 else grams[rows]
        W[rows] = _minimise(own, C[rows], start=guess)

    with Crew() as crew:
        crew.map(solve_block, _row_blocks(*C.shape))
    return W


def _solve_shared(X: Any, H: Array, weights: RankOne | None, penalty: Penalty) -> Array:
    """Solve with one Gram matrix for all rows; how much a row weighs changes nothing in it."""
    maps = H.astype(np.float64)
    right = maps if weights is None else maps * weights[1]
    counted = np.ones(X.shape[0]) if weights is None else np.asarray(weights[0], np.float64)
    gram = right @ maps.T
    cross = Cross(X, right, single=_is_easy(X, gram))
    with single_blas(), Crew() as crew:
        blocks = _row_blocks(*X.shape)
        if not penalty.active:
            W = np.zeros((X.shape[0], H.shape[0]), X.dtype)

            def solve_block(rows: slice) -> None:
                C = cross.rows(rows)
                C[counted[rows] == 0] = 0.0
                W[rows] = _minimise(gram[None], C)

            crew.map(solve_block, blocks)
            return W
        C = np.concatenate(crew.map(cross.rows, blocks))
    C[counted == 0] = 0.0
    grams = gram if counted.all() else gram * (counted > 0)[:, None, None]
    return solve_normal(grams, C, H, penalty, weights=weights or UNWEIGHTED).astype(X.dtype)


def _solve_weighted(X: Any, H: Array, weights: Array, penalty: Penalty) -> Array:
    """Solve with a Gram matrix for each row, from the products of pairs of maps."""
    n, k = X.shape[0], H.shape[0]
    maps = H.astype(np.float64)
    W = np.zeros((n, k))
    rows_at_once = n if penalty.active else max(1, _BLOCK_ENTRIES // max(k * k, X.shape[1]))
    for start in range(0, n, rows_at_once):
        rows = slice(start, min(start + rows_at_once, n))
        M = weights[rows].astype(np.float64)
        values = X[rows].toarray() if scipy.sparse.issparse(X) else X[rows]
        C = np.where(M > 0, M * values, 0.0) @ maps.T
        W[rows] = solve_normal(_grams_of(M, maps), C, H, penalty)
    return W.astype(X.dtype)


def _grams_of(M: Floats, maps: Floats) -> Floats:
    """Return ``maps @ diag(m) @ maps.T`` for each row m of M."""
    k = len(maps)
    first, second = np.tril_indices(k)
    grams = np.empty((len(M), k, k))
    pairs = _pair_sums(M, maps, first, second)
    grams[:, first, second] = pairs
    grams[:, second, first] = pairs
    return grams


def _pair_sums(M: Floats, maps: Floats, first: Array, second: Array) -> Floats:
    """Return the lower triangles of ``maps @ diag(m) @ maps.T`` for the rows m of M."""
    sums = np.zeros((M.shape[0], first.size))
    width = max(1, _BLOCK_ENTRIES // first.size)
    for start in range(0, M.shape[1], width):
        part = maps[:, start : start + width]
        sums += M[:, start : start + width] @ (part[first] * part[second]).T
    return sums


def _minimise(grams: Floats, C: Floats, *, start: Floats | None = None) -> Floats:
    """Solve rows that share a Gram matrix or have one each, from a start or from 0."""
    W = np.zeros(C.shape) if start is None else start
    solve_rows(grams, C, W, 200 + 20 * C.shape[1])
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
    width = max(_LEAST_ROWS, width)
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
