"""Factorisation under a beta-divergence, or with entrywise weights, by block second-order steps.

Around the present factors the divergence of a column of X is a quadratic in that column of H,
with its own k x k Hessian. The Hessians of all columns of a block are one matrix product: the
k (k + 1) / 2 products of pairs of columns of W, times the second derivatives of the divergence.
A few sweeps of coordinate descent over each box-constrained quadratic give the step; then the
rows of W, the same way. Extrapolation between the visits follows Ang & Gillis (2019,
doi:10.1162/neco_a_01157): it grows while the loss falls, and a rise takes the factors back.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..compute.threads import Crew, single_blas
from ..compute.types import Array
from ..losses.beta_divergence import add_up, misfit_by_column, slope_and_curvature
from ..matrices.scaled import Data
from ..nmf.hals import Extrapolation
from ..nnls import box_steps
from ..penalties.penalty import Terms
from ..problem.problem import Problem
from ..problem.solution import Solution
from ..problem.start import Start
from ..problem.stopping import Stopping
from .factors import LANES, Progress, Sides, enter, finish
from .signals import least_left, penalised, reach

# On each column's quadratic, which the next step poses anew: with two, sixteen fits of small
# recordings took 5 % more rounds; with eight they end alike.
_SWEEPS = 4
# Falls of the loss, relative, below which the exact Hessian is used, and rounds that it is not used
# for after a rise.
_FISHER_UNTIL, _FISHER_AFTER_RISE = 0.02, 2


class Visit(NamedTuple):
    """What one pass over X brings: new long factor, its extrapolation, and the short one's step."""

    loss: float
    new: Array
    ahead: Array
    gradient2: float
    slopes: Array
    packed: Array


class _Pace(Extrapolation):
    """How far to extrapolate, and which Hessian to use: by how the loss went so far."""

    def __init__(self, *, convex: bool) -> None:
        super().__init__()
        self.convex, self.rises, self.wait = convex, 0, 0
        self.exact = False

    def fell(self, relative: float) -> None:
        """Go further; near the end the exact Hessian is the faster."""
        self.rises = 0
        self.wait = max(0, self.wait - 1)
        self.exact = self.convex and self.wait == 0 and relative < _FISHER_UNTIL
        self.grow()

    def rose(self) -> None:
        """Take shorter leaps, and after a second rise Fisher's Hessian."""
        self.rises += 1
        self.cut()
        if self.rises > 1:
            self.exact, self.wait = False, _FISHER_AFTER_RISE

    @property
    def leap(self) -> float:
        """How far to extrapolate: not at all after repeated rises."""
        return 0.0 if self.plain else self.beta

    @property
    def plain(self) -> bool:
        """Whether steps are taken from the best factors, by Fisher's Hessian.

        Such a step does not raise the loss. At the optimum of the long factor rounding does, and
        taken for a rise it would keep the short factor from moving for good.
        """
        return self.rises > 1

    @property
    def trust(self) -> float:
        """The share of a step to take: all of it, less after repeated rises."""
        return float(0.5 ** max(0, self.rises - 2))


def solve(problem: Problem, start: Start, stopping: Stopping, *, warm: bool = False) -> Solution:
    """Factorise X ~ W @ H under a beta-divergence, from the factors given.

    Parameters
    ----------
    problem : Problem
        Non-negative data; where an entry has no weight its value is not looked at. Beta is 0 for
        Itakura-Saito, 1 for Kullback-Leibler, 2 for the squared error (of use with entrywise
        weights), or between.
    start : Start
        Both factors, whole.
    stopping : Stopping
        When to end: each iteration is one pass over X.
    warm : bool, default False
        Whether the start is more than a guess: what has a higher loss is taken back.

    Returns
    -------
    Solution
        Its losses never rise.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> W, H = rng.random((30, 2)) + 0.1, rng.random((2, 50)) + 0.1
    >>> problem = Problem(rng.poisson(9 * W @ H).astype(float), 2, loss=1.0)
    >>> solve(problem, Start(W=9 * W, H=H), Stopping()).converged
    True
    """
    sides = enter(problem, start)
    return finish(sides, iterate, route="newton", first=start.first, warm=warm, stopping=stopping)


def iterate(sides: Sides, *, short_first: bool, best: float) -> Progress:
    """Yield the loss and the squared gradient on the way, with the best factors in `sides`.

    Parameters
    ----------
    sides : Sides
        Where to start.
    short_first : bool
        Whether the short factor moves first.
    best : float
        The loss at the start, infinite where it is a guess; what is worse is taken back.

    Yields
    ------
    tuple of float
        Loss of the scaled data, and the squared gradient of both factors on the way, infinite after
        a step that was taken back.
    """
    pace = _Pace(convex=sides.data.beta >= 1.0)
    short, long = sides.short, sides.long
    with single_blas(), Crew() as crew:
        if short_first:
            seen = _visit(sides, crew, short, long, pace, hold=True)
            short = _step_short(sides, short, seen, long, pace)[0]
            sides.short = short if best == math.inf else sides.short
        while True:
            seen = _visit(sides, crew, short, long, pace)
            if seen.loss > best + (sides.rounding(best) if pace.plain else 0.0):
                pace.rose()
                short, long = sides.short, sides.long
                yield best, math.inf
                continue
            if seen.loss < best:
                pace.fell((best - seen.loss) / seen.loss if seen.loss > 0 else 0.0)
            best = min(best, seen.loss)
            before, sides.short, sides.long = sides.short, short, seen.new
            moved, gradient2 = _step_short(sides, short, seen, seen.ahead, pace)
            short = np.maximum(moved + moved.dtype.type(pace.leap) * (moved - before), 0)
            long = seen.ahead
            yield best, seen.gradient2 + gradient2


def _visit(
    sides: Sides, crew: Crew, short: Array, long: Array, pace: _Pace, *, hold: bool = False
) -> Visit:
    """Step the long factor block by block and gather what the short one needs, in one pass."""
    terms = sides.pull(short, long)[1]
    first, second = np.tril_indices(short.shape[1])
    pairs = short[:, first] * short[:, second]
    new, ahead = np.empty_like(long), np.empty_like(long)
    blocks = sides.data.blocks()
    size = -(-len(blocks) // LANES)

    def run(lane: list[slice]) -> tuple[float, float, Array, Array]:
        slopes, packed = np.zeros_like(short), np.zeros_like(pairs)
        loss = gradient2 = 0.0
        for block in lane:
            X, M = sides.data.take(block)
            Y = _product(short, long[block], sides.data)
            if hold:
                new[block] = ahead[block] = long[block]
            else:
                gradient2 += _step_block(
                    sides, X, M, Y, short, pairs, long, block, terms, pace, new
                )
                leap = new[block] - sides.long[block]
                np.maximum(new[block] + Y.dtype.type(pace.leap) * leap, 0, out=ahead[block])
            loss += float(misfit_by_column(X, Y, M, beta=sides.data.beta).sum())
            Y = _product(short, ahead[block], sides.data)
            slope, curvature = slope_and_curvature(X, Y, M, beta=sides.data.beta, exact=pace.exact)
            slopes += slope @ ahead[block]
            packed += curvature @ (ahead[block][:, first] * ahead[block][:, second])
        return loss, gradient2, slopes, packed

    lanes = [blocks[a : a + size] for a in range(0, len(blocks), size)]
    parts = crew.map(run, lanes)
    slopes = add_up([part[2] for part in parts]).astype(short.dtype)
    packed = add_up([part[3] for part in parts]).astype(short.dtype)
    loss = sum(part[0] for part in parts) + sides.penalise(short, new)
    return Visit(loss, new, ahead, sum(part[1] for part in parts), slopes, packed)


def _step_block(
    sides: Sides,
    X: Array,
    M: Array | None,
    Y: Array,
    short: Array,
    pairs: Array,
    long: Array,
    block: slice,
    terms: Terms | None,
    pace: _Pace,
    new: Array,
) -> float:
    """Step the rows of one block, bring Y along, and return their squared gradient."""
    data = sides.data
    slope, curvature = slope_and_curvature(X, Y, M, beta=data.beta, exact=pace.exact)
    own = None if terms is None else terms.take(block)
    moves, gradient2 = _descend(
        curvature.T @ pairs, slope.T @ short, long[block], own, sides.long_free, 0.0
    )
    change = short @ moves.T
    length = np.full(moves.shape[0], pace.trust, Y.dtype)
    if data.beta != 2.0:
        np.minimum(length, reach(Y, change, data.beta), out=length)
    change *= length
    Y += change
    if data.beta != 2.0:
        np.maximum(Y, data.dtype.type(data.floor), out=Y)
    new[block] = np.maximum(long[block] + length[:, None] * moves, 0)
    return gradient2


def _step_short(
    sides: Sides, short: Array, seen: Visit, long: Array, pace: _Pace
) -> tuple[Array, float]:
    kept = least_left(sides.data.beta)
    terms = sides.pull(short, long)[0]
    moves, gradient2 = _descend(seen.packed, seen.slopes, short, terms, sides.short_free, kept)
    new = np.maximum(short + short.dtype.type(pace.trust) * moves, 0)
    if sides.data.beta >= 1.0:
        _end_fall(new, short)
    return new, gradient2


def _end_fall(new: Array, old: Array) -> None:
    """Let entries that fall reach zero where they are rounding; by shares they never would.

    Not below beta 1: on counts and on split z-scores it led to losses up to 1e-3 higher, on power
    spectra to 1e-2.
    """
    least = np.finfo(new.dtype).eps * old.max(axis=0)
    new[(new < old) & (new < least)] = 0


def _descend(
    packed: Array, slopes: Array, rows: Array, terms: Terms | None, free: Array, kept: float
) -> tuple[Array, float]:
    packed, slopes = penalised(packed, slopes, rows, terms)
    moves = np.empty_like(rows)
    gradient2 = box_steps.descend_rows(packed, slopes, rows, free, kept, _SWEEPS, moves)
    return moves, gradient2


def _product(short: Array, rows: Array, data: Data) -> Array:
    Y = short @ rows.T
    return Y if data.beta == 2.0 else np.maximum(Y, data.dtype.type(data.floor), out=Y)
