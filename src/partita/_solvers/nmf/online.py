"""One set of maps over many recordings, of which only the products with their signals are kept.

Given the signals, a least-squares fit sees of the data only ``A = sum_s W_s.T @ X_s`` and
``B = sum_s W_s.T @ W_s`` (Mairal, Bach, Ponce & Sapiro 2010; Lefevre, Bach & Fevotte 2011). A
recording that comes again first takes its old share out of both, recomputed from its old signals,
so each step is block coordinate descent on the joint loss (incremental, Neal & Hinton 1998).

Where all recordings can be visited again, alternation is slow, and a sketch is not: X ~ Q @ Z,
with the rows of all recordings in Q, the signals and ``X @ H.T`` among its directions so that it
has the gradient of X at the factors as they stand, is descended in place of X.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from ..compute.threads import Crew, single_blas
from ..compute.types import Array
from ..matrices import products
from ..matrices.in_memory import Compressed
from ..nnls.solve import solve_least_squares
from ..optimality.certificate import Slack, floor_share
from ..penalties.penalty import NONE
from ..problem.oriented import Oriented
from .block_update import least_curvature
from .multistart import SPARE
from .sketch import settle
from .sweeps import Manner, Moving, sweep_columns

_ROWS, _COLUMNS = 256, 4096  # of blocks of a recording, and of maps: a few MB in float64
_SWEEPS, _RATIO = 20, 1e-3  # of the maps, which cost nothing beside the recording
_SKETCH_ROUNDS = 300  # on a sketch at most; nothing is read meanwhile


class Statistics(NamedTuple):
    """What is kept of the data: ``A = W.T @ X`` (k, p), ``B = W.T @ W`` (k, k), and ``|X|^2``."""

    A: Array
    B: Array
    norm2: float

    def plus(self, other: Statistics) -> Statistics:
        """Return the statistics of both together."""
        return Statistics(self.A + other.A, self.B + other.B, self.norm2 + other.norm2)

    def minus(self, other: Statistics) -> Statistics:
        """Return the statistics without those of `other`."""
        return Statistics(self.A - other.A, self.B - other.B, self.norm2 - other.norm2)

    def scaled(self, lengths: Array) -> Statistics:
        """Return the statistics of signals multiplied by `lengths` (k,)."""
        return Statistics(
            self.A * lengths[:, None], self.B * np.outer(lengths, lengths), self.norm2
        )

    def loss(self, H: Array) -> float:
        """Return ``sum_s |X_s - W_s @ H|^2 / 2``."""
        misfit = 0.5 * self.norm2 - np.vdot(self.A, H) + 0.5 * np.vdot(self.B, H @ H.T)
        return max(float(misfit), 0.0)


class Fold(NamedTuple):
    """The signals of the recording just seen, the maps after it, and the statistics of all."""

    W: Array
    H: Array
    statistics: Statistics


def gather(X: Any, W: Array) -> Statistics:
    """Return the statistics of one recording X (n, p) with its signals W (n, k), in float64.

    Examples
    --------
    >>> import numpy as np
    >>> gather(np.ones((3, 2)), np.full((3, 1), 2.0)).A
    array([[6., 6.]])
    """
    A = np.zeros((W.shape[1], X.shape[1]))
    for rows in _row_blocks(X):
        A += np.asarray(X[rows].T @ W[rows]).T
    exact = W.astype(np.float64)
    return Statistics(A, exact.T @ exact, products.norm2(X))


def settled(H: Array, W: Array) -> Statistics:
    """Return statistics for which the maps H are the best for W: a stand-in for data not seen."""
    exact = W.astype(np.float64)
    B = exact.T @ exact
    A = B @ H.astype(np.float64)
    return Statistics(A, B, float(np.vdot(A, H)))


def fold(X: Any, H: Array, rest: Statistics | None, *, free: Array, n_rounds: int) -> Fold:
    """Alternate between exact signals of X and maps for all statistics, then fold X in.

    Parameters
    ----------
    X : ndarray or scipy.sparse matrix, (n, p)
        One recording.
    H : ndarray, (k, p)
        Maps, float64.
    rest : Statistics or None
        Of the other recordings; None where there are none.
    free : ndarray of int
        The maps that may change.
    n_rounds : int
        How many alternations.

    Returns
    -------
    Fold
        Signals exact for the maps returned; no step raises the joint loss.
    """
    for _ in range(n_rounds):
        W = solve_least_squares(X, H.astype(X.dtype))
        H = improve(_total(rest, gather(X, W)), H, free=free)
    W = solve_least_squares(X, H.astype(X.dtype))
    return Fold(W, H, _total(rest, gather(X, W)))


def improve(statistics: Statistics, H: Array, *, free: Array) -> Array:
    """Return maps of lower loss for the statistics, by sweeps of coordinate descent."""
    target = np.empty_like(H)
    gram = np.ascontiguousarray(statistics.B)
    factor = Moving(gram, H, target, H, target, np.zeros((0, 1)))
    _sweep(statistics.A, factor, Manner(free, 0.0, _SWEEPS, _RATIO, False, -1.0))
    return target


def directions(n_features: int, k: int, *, rng: np.random.Generator, dtype: Any) -> Array:
    """Draw the random combinations of features (p, 2k + 10) whose courses a sketch is to hold."""
    return rng.standard_normal((n_features, 2 * k + SPARE)).astype(dtype)


def basis(courses: Array) -> Array:
    """Return orthonormal columns (n, r) that span the courses (n, r)."""
    lengths = np.linalg.norm(courses.astype(np.float64), axis=0)
    Q, _ = np.linalg.qr(courses / np.where(lengths > 0, lengths, 1.0))
    return Q.astype(courses.dtype)


def descend_sketch(
    Q: Array, Z: Array, W: Array, H: Array, *, norm2: float, free: Array, tol: float
) -> Array:
    """Go on from the factors on the sketch ``Q @ Z`` of X; return the maps.

    Parameters
    ----------
    Q : ndarray, (n, r)
        Orthonormal columns, W in their span.
    Z : ndarray, (r, p)
        ``Q.T @ X``.
    W, H : ndarray, (n, k) and (k, p)
        The factors as they stand.
    norm2 : float
        Squared norm of X.
    free : ndarray of int
        The maps that may change.
    tol : float
        Bound on the residual.

    Returns
    -------
    ndarray, (k, p), float64
        The maps it led to.
    """
    n, (k, p) = W.shape[0], H.shape
    rms = math.sqrt(norm2 / (n * p))
    if rms == 0.0:
        return H
    dtype, scale = Q.dtype, 2.0 ** math.floor(math.log2(rms))
    blocks = Compressed(Q, np.ascontiguousarray(Z / scale, dtype))
    with single_blas(), Crew() as crew:
        problem = Oriented(
            blocks, norm2 / scale**2, 1.0, rms / scale, NONE, np.arange(k), free,
            None, None, crew, floor_share(dtype),
        )  # fmt: skip
        short = np.ascontiguousarray(W.T / scale, dtype)
        at = settle(problem, short, np.array(H, dtype, order="C"), rounds=_SKETCH_ROUNDS, tol=tol)
    return at.L.astype(np.float64)


def slack(G: Array, C: Array, factor: Array, *, free: Array) -> Slack:
    """Measure how far a factor (k, m) is from the minimum of ``<h, G h> / 2 - <C, h>``, h >= 0."""
    begin, target = np.ascontiguousarray(factor, np.float64), np.empty(factor.shape)
    none = np.zeros((0, 1))
    moving = Moving(np.ascontiguousarray(G), begin, target, begin, target, none)
    manner = Manner(free, 0.0, _SWEEPS, _RATIO, True, least_curvature(G, G))
    gradient2, decrease, bound = _sweep(C, moving, manner)
    return Slack(float(gradient2), float(decrease + bound))


def fingerprint(X: Any) -> str:
    """Return a digest of the values of X, whatever their order in memory."""
    digest = hashlib.blake2b(repr((X.shape, X.dtype.str)).encode(), digest_size=16)
    for rows in _row_blocks(X):
        values = X[rows].toarray() if scipy.sparse.issparse(X) else X[rows]
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def _total(rest: Statistics | None, own: Statistics) -> Statistics:
    return own if rest is None else rest.plus(own)


def _row_blocks(X: Any) -> list[slice]:
    return [slice(a, min(a + _ROWS, X.shape[0])) for a in range(0, X.shape[0], _ROWS)]


def _sweep(C: Array, factor: Moving, manner: Manner) -> Array:
    """Sweep all columns in blocks, each on a thread; return the sum of the figures."""

    def work(first: int) -> Array:
        last = min(first + _COLUMNS, C.shape[1])
        part = np.ascontiguousarray(C[:, first:last], np.float64)
        return np.asarray(sweep_columns(part, factor, first, last, manner))

    with Crew() as crew:
        figures: list[Array] = crew.map(work, range(0, C.shape[1], _COLUMNS))
    return np.asarray(np.sum(figures, axis=0))
