"""Signals for given maps when the misfit is a divergence: second-order steps row by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..compute.threads import Crew, single_blas
from ..compute.types import Array, Floats, RankOne
from ..losses.beta_divergence import misfit_by_column, slope_and_curvature
from ..matrices.scaled import BLOCK_ENTRIES, Data, prepare
from ..nnls import box_steps
from ..penalties.penalty import NONE, Penalty, Terms

MOST_STEPS = 200  # a guard: on fUSI-like data 50 end alike
_MOST_SHORTENINGS = 8  # each to a quarter, down to 1.5e-5 of a step: below it none lowers the loss
# Of the loss: where no more is promised, the exact Hessian is the faster. Never used, signals of
# fUSI-like data take 1.16 times as long under Kullback-Leibler, and end 6e-5 off.
_NEAR = 0.05
# Of a column's loss, by which it must still promise to fall: about the rounding of the loss.
_ENOUGH = {np.dtype(np.float32): 1e-6, np.dtype(np.float64): 1e-12}
# Rounds of a penalty majorised ahead of the rows: 361 under a smoothness of 100, on 200 samples.
_MOST_AHEAD = 1000
# Of a round ahead but the first: fits to the end took ten times as long under a beta of 1.5.
_STEPS_AHEAD = 4
# Of a fit Y after a step: at zero the loss may be infinite. Below beta 1 the loss is concave near
# zero, and what falls there at once stays: with a fifth, losses ended up to 1e-2 higher.
_LEAST_LEFT, _LEAST_LEFT_BELOW_1 = 0.2, 0.8
_LEAST_WIDTH = 32  # columns, for matrix products to be worth it; half and twice take as long


class Fall(NamedTuple):
    """How far a misfit fell, and what its quadratic model promises beyond where it was left."""

    reached: float
    promised: float


def solve_divergence(
    X: Any,
    H: Array,
    *,
    beta: float,
    penalty: Penalty = NONE,
    weights: Array | RankOne | None = None,
) -> Array:
    """Find the signals W >= 0 whose divergence from X, with the maps H as they are, is least.

    Parameters
    ----------
    X : ndarray or scipy.sparse matrix, (n, p)
        Non-negative data; positive for beta <= 0.
    H : ndarray, (k, p)
        Non-negative maps; those that are all zero get signals of zero.
    beta : float
        Which divergence, 0 to 2.
    penalty : Penalty
        In the units of X, as a Solution leaves it; none by default.
    weights : ndarray, (n, p), or tuple of ndarray, (n,) and (p,), optional
        A weight for each entry, or its two rank-one factors.

    Returns
    -------
    ndarray, (n, k)
        Signals in the dtype of X: the minimum for beta >= 1, a local one below. Samples
        without any weight get zeros, and so do all where X is zero wherever it has a weight.

    Examples
    --------
    >>> import numpy as np
    >>> maps = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    >>> W = solve_divergence(np.array([[1.0, 3.0, 2.0]]), maps, beta=1.0)
    >>> bool(np.allclose(W, [[1.0, 2.0]]))
    True
    """
    data = prepare(X, beta=beta, weights=weights)
    if data.rms == 0.0:
        return np.zeros((X.shape[0], H.shape[0]), data.dtype)
    short = np.ascontiguousarray(H.T, dtype=data.dtype)
    rows = np.ascontiguousarray(_level(data, short), dtype=data.dtype)
    rows[data.unseen()[0]] = 0
    inner = penalty.scaled(W=1 / data.scale, H=1.0, loss=1 / data.unit)

    def terms_at(here: Array) -> Terms:
        return inner.majorise(here.T, H, signals=True)

    refit(data.turned(), short, rows, terms_at if penalty.active else None, ahead=True)
    return np.asarray(rows / data.dtype.type(data.scale))


def refit(
    data: Data,
    short: Array,
    rows: Array,
    terms_at: Callable[[Array], Terms] | None,
    *,
    free: Array | None = None,
    max_steps: int = MOST_STEPS,
    ahead: bool = False,
) -> Fall:
    """Minimise the divergence of the columns of X (n, p) from ``short @ rows.T``, in place.

    Parameters
    ----------
    data : Data
        X (n, p) and what goes with it.
    short : ndarray, (n, k)
        The factor that stays.
    rows : ndarray, (p, k)
        The factor that moves, in place.
    terms_at : callable, optional
        Gives the penalty as `rows` sees it where they stand.
    free : ndarray of bool, (k,), optional
        The components that may move; all of them by default.
    max_steps : int
        Steps at most, and rounds of a penalty where it is not majorised ahead.
    ahead : bool, default False
        Whether a penalty is majorised ahead of the rows rather than where they are: ties between
        rows are settled in the square root of the rounds. What has fallen is then not counted.

    Returns
    -------
    Fall
        Of the misfit of the scaled data with the linear and quadratic penalty.
    """
    first, second = np.tril_indices(short.shape[1])
    pairs = short[:, first] * short[:, second]
    free = np.ones(short.shape[1], bool) if free is None else free
    most = _MOST_AHEAD if ahead else max_steps
    n_rounds = 1 if terms_at is None else most
    reached, leap = 0.0, _Leap(rows)
    with single_blas(), Crew() as crew:
        for n in range(n_rounds):
            before = rows.copy()
            steps = min(max_steps, _STEPS_AHEAD) if ahead and n > 0 else max_steps
            if ahead:
                rows[:] = leap.point
            terms = None if terms_at is None else terms_at(rows)

            def fit(block: slice, terms: Terms | None = terms, steps: int = steps) -> Fall:
                X, M = data.take(block)
                own = None if terms is None else terms.take(block)
                return _fit_block(data, X, M, short, pairs, rows[block], own, free, steps)

            falls = crew.map(fit, _blocks(data))
            reached += sum(fall.reached for fall in falls)
            if np.linalg.norm(rows - before) <= 1e-6 * np.linalg.norm(rows):
                break
            leap.on(rows, before)
    return Fall(reached, sum(fall.promised for fall in falls))


class _Leap:
    """Where a penalty is majorised next: ahead of the rows, until that turns them back.

    Nesterov's extrapolation, from the start again after a turn (O'Donoghue & Candes 2015).
    """

    def __init__(self, rows: Array) -> None:
        self.point, self.count = rows.copy(), 1.0

    def on(self, rows: Array, before: Array) -> None:
        """Leap from the rows, which were `before` a round ago and came from `point`."""
        move = rows - before
        if np.vdot(self.point - rows, move) > 0:
            self.count = 1.0
        count = (1.0 + np.sqrt(1.0 + 4.0 * self.count**2)) / 2.0
        share = rows.dtype.type((self.count - 1.0) / count)
        self.point, self.count = np.maximum(rows + share * move, 0), count


def _blocks(data: Data) -> list[slice]:
    """Cut columns so that a block is wide enough for matrix products, and each thread has some."""
    n, p = data.X.shape
    width = min(max(_LEAST_WIDTH, BLOCK_ENTRIES // max(1, n)), max(1, -(-p // 8)))
    return [slice(a, min(a + width, p)) for a in range(0, p, width)]


def _fit_block(
    data: Data,
    X: Array,
    M: Array | None,
    short: Array,
    pairs: Array,
    rows: Array,
    terms: Terms | None,
    free: Array,
    max_steps: int,
) -> Fall:
    """Step the columns of a block until the quadratic model promises none of them any fall."""
    enough = _ENOUGH[data.dtype]
    here = np.arange(rows.shape[0])
    Y = _fitted(short, rows, data)
    value = _value(data, X, Y, M, rows, terms)
    least = _reference(X, M, data.beta) * 1e-6
    began, ended, exact, promised = value.sum(), value.copy(), False, 0.0
    for _ in range(max_steps):
        slope, curvature = slope_and_curvature(X, Y, M, beta=data.beta, exact=exact)
        at = None if terms is None else terms.take(here)
        moves, promise = _move(curvature.T @ pairs, slope.T @ short, rows[here], at, free)
        on = promise > enough * np.maximum(value, least)
        if not on.any():
            promised += promise.sum()
            break
        exact = data.beta >= 1.0 and promise.sum() < _NEAR * value.sum()
        if on.mean() < 0.7:
            promised += promise[~on].sum()
            here, X, Y, value, least = here[on], X[:, on], Y[:, on], value[on], least[on]
            M, moves = None if M is None else M[:, on], moves[on]
            at = None if terms is None else terms.take(here)
        rows[here], Y, now = _search(data, X, Y, M, short, rows[here], moves, value, at)
        stuck = now >= value
        least[stuck] = np.inf
        ended[here] = value = now
    return Fall(float(began - ended.sum()), 0.5 * float(promised))


def _fitted(short: Array, rows: Array, data: Data) -> Array:
    Y = short @ rows.T
    return Y if data.beta == 2.0 else np.maximum(Y, data.dtype.type(data.floor), out=Y)


def _move(
    packed: Array, slopes: Array, rows: Array, terms: Terms | None, free: Array
) -> tuple[Array, Floats]:
    """Return a step for each row, and twice the fall that its quadratic promises at least."""
    packed, slopes = penalised(packed, slopes, rows, terms)
    moves = np.empty_like(rows)
    box_steps.descend_rows(packed, slopes, rows, free, 0.0, 50, moves)
    return moves, -np.einsum("cj,cj->c", slopes, moves, dtype=np.float64)


def penalised(
    packed: Array, slopes: Array, rows: Array, terms: Terms | None
) -> tuple[Array, Array]:
    """Add a penalty to the Hessians (m, k (k + 1) / 2) and slopes (m, k) of rows (m, k)."""
    packed, slopes = np.ascontiguousarray(packed), np.ascontiguousarray(slopes)
    if terms is None:
        return packed, slopes
    k = rows.shape[1]
    packed[:, np.cumsum(np.arange(1, k + 1)) - 1] += terms.ridge.T.astype(packed.dtype)
    if terms.gram is not None:
        packed += terms.gram[np.tril_indices(k)].astype(packed.dtype)
    return packed, (slopes + terms.slope(rows.T).T).astype(slopes.dtype)


def _search(
    data: Data,
    X: Array,
    Y: Array,
    M: Array | None,
    short: Array,
    rows: Array,
    moves: Array,
    value: Floats,
    terms: Terms | None,
) -> tuple[Array, Array, Floats]:
    """Shorten the steps of the columns whose value would rise; what never falls stays."""
    change = short @ moves.T
    length = np.ones(rows.shape[0], rows.dtype) if data.beta == 2.0 else reach(Y, change, data.beta)
    new = np.maximum(rows + length[:, None] * moves, 0)
    fitted = _fitted(short, new, data)
    now = _value(data, X, fitted, M, new, terms)
    worse = np.flatnonzero(now > value)
    for _ in range(_MOST_SHORTENINGS):
        if worse.size == 0:
            break
        length[worse] *= 0.25
        new[worse] = np.maximum(rows[worse] + length[worse, None] * moves[worse], 0)
        fitted[:, worse] = _fitted(short, new[worse], data)
        weights = None if M is None else M[:, worse]
        own = None if terms is None else terms.take(worse)
        now[worse] = _value(data, X[:, worse], fitted[:, worse], weights, new[worse], own)
        worse = worse[now[worse] > value[worse]]
    new[worse], now[worse], fitted[:, worse] = rows[worse], value[worse], Y[:, worse]
    return new, fitted, now


def least_left(beta: float) -> float:
    """Return the share of a positive value that a step leaves at least."""
    if beta == 2.0:
        return 0.0
    return _LEAST_LEFT if beta >= 1.0 else _LEAST_LEFT_BELOW_1


def reach(Y: Array, change: Array, beta: float) -> Array:
    """Return for each column the longest step, at most 1, that leaves enough of Y."""
    fall = -(change / Y).min(axis=0)
    limit = Y.dtype.type(1.0 - least_left(beta))
    return np.asarray(np.minimum(1, limit / np.maximum(fall, limit)), dtype=Y.dtype)


def _value(
    data: Data, X: Array, Y: Array, M: Array | None, rows: Array, terms: Terms | None
) -> Floats:
    value = misfit_by_column(X, Y, M, beta=data.beta)
    return value if terms is None else value + terms.value_by_column(rows.T)


def _reference(X: Array, M: Array | None, beta: float) -> Floats:
    """Sum X**beta over each column: the size below which a misfit is rounding."""
    sizes = X**beta if M is None else M * X**beta
    return np.asarray(sizes.sum(axis=0, dtype=np.float64))


def _level(data: Data, short: Array) -> Array:
    """Start every component of a sample at the same share of what is seen of the sample."""
    totals = short.sum(axis=0, dtype=np.float64)
    shares = np.divide(1.0, totals, out=np.zeros_like(totals), where=totals > 0)
    shares /= max(1, int((totals > 0).sum()))
    sums = sum(_sums(*data.take(block)) for block in data.blocks())
    return np.asarray(np.outer(sums, shares))


def _sums(X: Array, M: Array | None) -> Floats:
    seen = X if M is None else np.where(M > 0, X, 0)
    return np.asarray(seen.sum(axis=1, dtype=np.float64))
