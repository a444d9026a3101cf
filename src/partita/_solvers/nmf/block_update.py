"""The update of both factors, block by block of X: one pass, and the products it leaves."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..compute.types import Array
from ..matrices.matrix import Columns, Sums
from ..penalties.penalty import NONE, Terms
from ..problem.oriented import LONG, Oriented, Products, add_block_products, decoded, zeros
from .sweeps import Manner, Moving, sweep_columns


class Side:
    """A factor that moves: its last answers, the point extrapolated, and the one before that.

    `lean` lets each new answer take the place of the old one, which saves an array.
    """

    def __init__(self, ahead: Array, *, lean: bool = False) -> None:
        self.ahead, self.spare, self.old = ahead, np.empty_like(ahead), ahead.copy()
        self.new = self.old if lean else np.empty_like(ahead)

    def turn(self) -> None:
        """Let the point just extrapolated, or again the one before it, lie ahead."""
        self.ahead, self.spare = self.spare, self.ahead

    def accept(self) -> None:
        """Make the new answer the one to extrapolate from."""
        self.old, self.new = self.new, self.old

    def scratch(self) -> Side:
        """Borrow the arrays not in use, for sweeps that leave the point ahead as it is."""
        borrowed = Side.__new__(Side)
        borrowed.ahead, borrowed.spare = self.ahead, self.spare
        borrowed.old = borrowed.new = self.new
        return borrowed

    def restart(self) -> None:
        """Forget the past: the next answer is the first."""
        np.copyto(self.old, self.ahead)


class Sweeps(NamedTuple):
    """How long to sweep and how far to extrapolate."""

    beta: float = 0.0
    most: int = 4
    ratio: float = 0.1
    measure: bool = False
    bound: bool = False
    gather: bool = True


UNTIL_FLAT = Sweeps(most=60, ratio=1e-3, gather=False)
"""How a factor is solved that a fit begins with: near enough, for its first round sweeps again.

With a third of the sweeps one of eight fits from random factors ended 4e-3 higher; with three times
as many they end alike.
"""


class Visit(NamedTuple):
    """What one pass over X leaves: X @ L.T, L @ L.T, and how the sweeps went."""

    A: Array
    B: Array
    gradient2: float
    decrease: float
    bound: float


class _Quadratic(NamedTuple):
    """What one factor minimises: the Gram matrix, and what the penalty adds entry by entry.

    `shift` is subtracted from the linear term, (k, 1) or (k, m); `ridge` is (k, m). Either is None
    where there is none.
    """

    gram: Array
    shift: Array | None
    ridge: Array | None


class _Job(NamedTuple):
    """What a visit does to every part: arrays of the short factor's size and smaller."""

    encoded: Array
    gram: Array
    shift: Array | None
    inverse: Any
    manner: Manner
    gather: bool


def visit(problem: Oriented, S: Array, L: Side, sweeps: Sweeps) -> Visit:
    """Update L for a given S block by block, and gather the products for S on the way."""
    matrix, dtype = problem.matrix, problem.matrix.dtype
    weighted = S if problem.S_weights is None else S * problem.S_weights
    G = weighted.astype(np.float64) @ S.T.astype(np.float64)
    gram, shift, ridge = _quadratic(problem, G, L.ahead, S, of_long=True)
    curvature = least_curvature(G, gram) if sweeps.bound else -1.0
    encoded = matrix.encode(np.asarray(weighted / problem.scale, dtype))
    manner = _manner(problem.L_free, sweeps, curvature)
    same = shift is None or shift.shape[1] == 1
    inverse = dtype.type(1 / problem.scale)
    job = _Job(encoded, gram, shift if same else None, inverse, manner, sweeps.gather)
    A, B, figures = matrix.over_parts(
        _visit_part,
        job,
        reads=(L.ahead, L.old, problem.L_weights, None if same else shift, ridge),
        writes=(L.new, L.spare),
        rows=len(S),
        crew=problem.crew,
    )
    L.turn()
    return Visit(decoded(problem, A), B, *map(float, figures))


def _visit_part(
    part: Columns,
    group: list[slice],
    sums: Sums | None,
    job: _Job,
    ahead: Array,
    old: Array,
    weights: Array | None,
    shift: Array | None,
    ridge: Array | None,
    new: Array,
    target: Array,
) -> Sums:
    """Visit blocks that follow each other, and add to the sums so far."""
    factor = Moving(job.gram, ahead, target, old, new, _no_entries(ridge, part.dtype))
    shift = job.shift if shift is None else shift
    A, B, figures = (*zeros(part, len(job.gram)), np.zeros(3)) if sums is None else sums
    for block in group:
        C = part.project(job.encoded, block)
        if shift is not None:
            C -= shift if shift.shape[1] == 1 else shift[:, block]
        figures += sweep_columns(C, factor, block.start, block.stop, job.manner)
        if job.gather:
            add_block_products(part, job.inverse, target, weights, block, A, B)
    return A, B, figures


def _no_entries(entries: Array | None, dtype: Any) -> Array:
    """Return what the compiled sweeps take for none."""
    return np.zeros((0, 1), dtype) if entries is None else entries


def begin_long(problem: Oriented, S: Array) -> Array:
    """Return a long factor to begin from: zeros, which the first visit solves.

    Under a penalty one that starts at zero would stay there; it is solved without first.
    """
    L = np.zeros((S.shape[0], problem.matrix.shape[1]), S.dtype)
    if not problem.penalty.active:
        return L
    side = Side(L)
    visit(problem._replace(penalty=NONE), S, side, UNTIL_FLAT)
    return side.ahead


def solve_short(
    problem: Oriented, S: Side, seen: Products | Visit, L: Array, sweeps: Sweeps
) -> Visit:
    """Update S from the products of a visit; only the figures of the answer are new."""
    gram, shift, ridge = _quadratic(problem, seen.B, S.ahead, L, of_long=False)
    curvature = least_curvature(seen.B, gram) if sweeps.bound else -1.0
    dtype = problem.matrix.dtype
    C = np.ascontiguousarray(seen.A if shift is None else seen.A - shift, dtype)
    factor = Moving(gram, S.ahead, S.spare, S.old, S.new, _no_entries(ridge, dtype))
    manner = _manner(problem.S_free, sweeps, curvature)
    figures = sweep_columns(C, factor, 0, S.ahead.shape[1], manner)
    S.turn()
    return Visit(seen.A, seen.B, *figures)


def _manner(rows: Array, sweeps: Sweeps, curvature: float) -> Manner:
    return Manner(rows, sweeps.beta, sweeps.most, sweeps.ratio, sweeps.measure, curvature)


def evaluate(problem: Oriented, S: Array, L: Array, seen: Products | Visit) -> float:
    """Return the loss at (S, L) from the products that belong to L, in float64."""
    misfit, gram = 0.5 * problem.norm2, np.zeros((S.shape[0], S.shape[0]))
    for start in range(0, S.shape[1], LONG):
        here = slice(start, start + LONG)
        part = S[:, here].astype(np.float64)
        weighted = part if problem.S_weights is None else part * problem.S_weights[here]
        misfit -= float(np.vdot(seen.A[:, here].astype(np.float64, copy=False), weighted))
        gram += weighted @ part.T
    misfit += 0.5 * float(np.vdot(gram, seen.B))
    return max(misfit, 0.0) + penalty_of(problem, S, L)


def penalty_of(problem: Oriented, S: Array, L: Array) -> float:
    """Return the penalty at (S, L)."""
    return problem.penalty.value(S, L, problem.weights) if problem.penalty.active else 0.0


def terms_of(problem: Oriented, moving: Array, given: Array, *, of_long: bool) -> Terms:
    """Return the penalty as one factor sees it where it stands."""
    return problem.penalty.majorise(moving, given, signals=not of_long, weights=problem.weights)


def _quadratic(
    problem: Oriented, gram: Array, moving: Array, given: Array, *, of_long: bool
) -> _Quadratic:
    """Fold the penalty into the quadratic of one factor, in the dtype of the work."""
    dtype = problem.matrix.dtype
    if not problem.penalty.active:
        return _Quadratic(np.ascontiguousarray(gram, dtype), None, None)
    terms = terms_of(problem, moving, given, of_long=of_long)
    gram = gram if terms.gram is None else gram + terms.gram
    shift = np.ascontiguousarray(terms.linear, dtype)
    if terms.ridge.shape[1] > 1:
        ridge = np.ascontiguousarray(terms.ridge, dtype)
        return _Quadratic(np.ascontiguousarray(gram, dtype), shift, ridge)
    return _Quadratic(np.ascontiguousarray(gram + np.diag(terms.ridge[:, 0]), dtype), shift, None)


def least_curvature(gram: Array, total: Array) -> float:
    """Return the least eigenvalue of `gram` where the diagonal of `total` is scaled to ones."""
    diagonal = np.diag(total).astype(np.float64)
    alive = diagonal > 0
    if not alive.any():
        return 1.0
    scale = np.sqrt(diagonal[alive])
    scaled = np.asarray(gram, np.float64)[np.ix_(alive, alive)] / scale / scale[:, None]
    return max(float(np.linalg.eigvalsh(scaled)[0]), 0.0)
