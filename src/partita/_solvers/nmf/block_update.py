"""The update of both factors, block by block of X: one pass, and the products it leaves."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..compute.types import Array
from ..matrices.blocks import Blocks, Dense, Lies
from ..matrices.streamed import Stream
from ..matrices.tile_products import in_fours
from ..penalties.penalty import Penalty, penalty_value
from ..problem.problem import LONG, Problem, Totals, Visit, add_block_products, gather_parts, zeros
from .sweeps import Manner, Moving, sweep_columns, visit_columns


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


_UNTIL_FLAT = Sweeps(most=60, ratio=1e-3, gather=False)


class Job(NamedTuple):
    """What a visit does to every block: arrays of the short factor's size and smaller."""

    encoded: Array
    gram: Array
    shift: Array | None
    inverse: Any
    manner: Manner
    gather: bool


def visit(problem: Problem, S: Array, L: Side, sweeps: Sweeps) -> Visit:
    """Update L for a given S block by block, and gather the products for S on the way."""
    blocks, dtype = problem.blocks, problem.blocks.dtype
    weighted = S if problem.S_weights is None else S * problem.S_weights
    G = weighted.astype(np.float64) @ S.T.astype(np.float64)
    gram, shift = penalise(problem, G, S, L.ahead, of_long=True)
    curvature = least_curvature(G, gram) if sweeps.bound else -1.0
    encoded = blocks.encode(np.asarray(weighted / problem.scale, dtype))
    manner = _manner(problem.L_free, sweeps, curvature)
    inverse = dtype.type(1 / problem.scale)
    job = Job(encoded, gram, shift, inverse, manner, sweeps.gather)
    if isinstance(blocks, Stream):
        totals, ends = blocks.run(_visit_part, job, L.ahead, L.old, problem.L_weights, rows=len(S))
        for part, (new, ahead) in zip(blocks.slices, ends, strict=True):
            L.new[:, part], L.spare[:, part] = new, ahead
        seen = gather_parts(problem, [totals], len(S))
    else:
        factor = Moving(gram, L.ahead, L.spare, L.old, L.new)
        work = partial(_visit_group, blocks, job, factor, problem.L_weights)
        seen = gather_parts(problem, problem.crew.map(work, blocks.groups), len(S))
    L.turn()
    return seen


def _visit_part(
    X: Array, so_far: Totals | None, job: Job, ahead: Array, old: Array, weights: Array | None
) -> tuple[Totals, tuple[Array, Array]]:
    """Visit a part of a stream; return what is summed over parts, and the part's answers."""
    blocks = Dense(X)
    new, target = old.copy(), np.empty_like(ahead)
    group = [block for run in blocks.groups for block in run]
    factor = Moving(job.gram, ahead, target, new, new)
    return _visit_group(blocks, job, factor, weights, group, so_far), (new, target)


def _visit_group(
    blocks: Blocks,
    job: Job,
    factor: Moving,
    weights: Array | None,
    group: list[slice],
    so_far: Totals | None = None,
) -> Totals:
    """Visit blocks that follow each other, in place, and add to the totals so far."""
    if blocks.lies is not None:
        return _visit_in_cache(blocks, blocks.lies, job, factor, weights, group, so_far)
    k = factor.G.shape[0]
    A, B, figures = np.zeros((blocks.height, k)), np.zeros((k, k)), np.zeros(3)
    for block in group:
        C = blocks.project(job.encoded, block)
        if job.shift is not None:
            C -= job.shift
        figures += sweep_columns(C, factor, block.start, block.stop, job.manner)
        if job.gather:
            add_block_products(blocks, job.inverse, factor.target, weights, block, A, B)
    return A, B, figures


def _visit_in_cache(
    blocks: Blocks,
    lies: Lies,
    job: Job,
    factor: Moving,
    weights: Array | None,
    group: list[slice],
    so_far: Totals | None,
) -> Totals:
    dtype, rows = blocks.dtype, in_fours(job.encoded)
    A, B, figures = zeros(blocks, lies, len(rows)) if so_far is None else so_far
    figures += visit_columns(
        lies.X, lies.turned, rows, np.zeros((0, 1), dtype) if job.shift is None else job.shift,
        np.zeros(0, dtype) if weights is None else weights, job.inverse,
        factor, group[0].start, group[-1].stop, job.manner, job.gather,
        A.T if lies.turned else A, B,
    )  # fmt: skip
    return A, B, figures


def begin_long(problem: Problem, S: Array) -> Array:
    """Return a long factor to begin from: zeros, which the first visit solves.

    Under a penalty one that starts at zero would stay there; it is solved without first.
    """
    L = np.zeros((S.shape[0], problem.blocks.shape[1]), S.dtype)
    if not problem.penalty.active:
        return L
    side = Side(L)
    visit(problem._replace(penalty=Penalty()), S, side, _UNTIL_FLAT)
    return side.ahead


def solve_short(problem: Problem, S: Side, seen: Visit, L: Array, sweeps: Sweeps) -> Visit:
    """Update S from the products of a visit; only the figures of the answer are new."""
    gram, shift = penalise(problem, seen.B, L, S.ahead, of_long=False)
    curvature = least_curvature(seen.B, gram) if sweeps.bound else -1.0
    C = seen.A if shift is None else seen.A - shift
    factor = Moving(gram, S.ahead, S.spare, S.old, S.new)
    manner = _manner(problem.S_free, sweeps, curvature)
    C = np.ascontiguousarray(C, problem.blocks.dtype)
    figures = sweep_columns(C, factor, 0, S.ahead.shape[1], manner)
    S.turn()
    return Visit(seen.A, seen.B, *figures)


def _manner(rows: Array, sweeps: Sweeps, curvature: float) -> Manner:
    return Manner(rows, sweeps.beta, sweeps.most, sweeps.ratio, sweeps.measure, curvature)


def evaluate(problem: Problem, S: Array, L: Array, seen: Visit) -> float:
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


def penalty_of(problem: Problem, S: Array, L: Array) -> float:
    """Return the penalty at (S, L)."""
    if not problem.penalty.active:
        return 0.0
    weights = (problem.S_weights, problem.L_weights)
    return penalty_value(S.T, L, problem.penalty, rms=problem.rms, weights=weights)


def penalise(
    problem: Problem,
    gram: Array,
    given: Array,
    moving: Array,
    *,
    of_long: bool,
    dtype: np.dtype[Any] | None = None,
) -> tuple[Array, Array | None]:
    """Fold the penalty into the quadratic of one factor.

    Returns the Gram matrix in the dtype of the work and what is subtracted from the linear term
    (None without a penalty). The norm of a row is majorised by its tangent parabola.
    """
    dtype = problem.blocks.dtype if dtype is None else dtype
    if not problem.penalty.active:
        return np.ascontiguousarray(gram, dtype), None
    extra, shift = _penalty_terms(problem, gram, given, moving, of_long)
    return np.ascontiguousarray(gram + np.diag(extra), dtype), shift.astype(dtype)[:, None]


def least_curvature(gram: Array, total: Array) -> float:
    """Return the least eigenvalue of `gram` where the diagonal of `total` is scaled to ones."""
    diagonal = np.diag(total).astype(np.float64)
    alive = diagonal > 0
    if not alive.any():
        return 1.0
    scale = np.sqrt(diagonal[alive])
    scaled = np.asarray(gram, np.float64)[np.ix_(alive, alive)] / scale / scale[:, None]
    return max(float(np.linalg.eigvalsh(scaled)[0]), 0.0)


def _penalty_terms(
    problem: Problem, gram: Array, given: Array, moving: Array, of_long: bool
) -> tuple[Array, Array]:
    """Return what is added to the diagonal and what is subtracted from the linear term."""
    penalty = problem.penalty
    n, p = problem.blocks.shape
    l1, l2 = (penalty.H_l1, penalty.H_l2) if of_long else (penalty.W_l1, penalty.W_l2)
    if not penalty.scale_free:
        size = n if of_long else p
        ones = np.ones(gram.shape[0])
        return size * l2 * ones, size * l1 * ones
    opposite_l1 = penalty.W_l1 if of_long else penalty.H_l1
    squares = np.diag(gram)
    given_weights = problem.S_weights if of_long else problem.L_weights
    moving_weights = problem.L_weights if of_long else problem.S_weights
    sums = _weigh(given, given_weights).sum(1, dtype=np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", _weigh(moving, moving_weights), moving, dtype=float))
    longest = float(np.max(lengths, initial=1e-30))
    lengths = np.maximum(lengths, 1e-12 * longest)
    tangent = problem.rms * opposite_l1 * sums / lengths
    return l2 * squares + tangent, problem.rms * l1 * np.sqrt(squares)


def _weigh(factor: Array, weights: Array | None) -> Array:
    return factor if weights is None else factor * weights
