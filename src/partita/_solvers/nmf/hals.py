"""Hierarchical alternating least squares with extrapolation, one visit to each block a round.

Accelerated HALS (Cichocki & Phan 2009; Gillis & Glineur 2012) inside, extrapolation with restarts
(Ang & Gillis 2019) outside.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..compute.types import Array
from ..optimality.certificate import Scale, relative_gradient, scale_of
from ..optimality.stopping import APART, Rule
from ..problem.oriented import Oriented
from .block_update import Side, Sweeps, Visit, evaluate, solve_short, visit

Watch = Callable[[int, float, float, Array, Array], bool]


# A sweep is left when it gains less than a tenth of the first (Gillis & Glineur 2012); the first
# round, from no more than a guess, goes on for longer. Sweeps of the long factor come with a pass
# over X and of the short one cost little beside it: with half as many of the long factor sixteen
# fits of small recordings took 4 % more rounds, with twice as many of either they end alike.
_FIRST = Sweeps(most=20, ratio=1e-3)
_LONG = Sweeps(most=4)
_SHORT = Sweeps(most=20)
_ROUNDING = {np.dtype(np.float32): 2e-8}  # of |X|^2: a rise of the loss no larger is none
# Rows shorter than what float32 resolves beside one, or 2**6 apart, are shared out; by 2**100 at
# most, which float32 holds.
_SHORTEST2, _DRIFT, _FURTHEST = 2.0**-24, 6, 100


class Extrapolation:
    """How far to run ahead: growing while the loss falls, cut back when it rises.

    After Ang & Gillis (2019), with their rates of growing and cutting back.
    """

    def __init__(self) -> None:
        self.beta, self.ceiling = 0.5, 1.0

    def grow(self) -> None:
        """Reach a little further."""
        self.beta = min(self.ceiling, self.beta * 1.05)
        self.ceiling = min(1.0, self.ceiling * 1.01)

    def cut(self) -> None:
        """Remember where it was too far, and step back."""
        self.ceiling = self.beta
        self.beta /= 1.5


class Kept(NamedTuple):
    """All that a descent between two rounds needs to go on to the same end; copies, not views."""

    S: Array
    S_old: Array
    L: Array
    L_old: Array
    pace: tuple[float, float]
    seen: Visit | None
    losses: Array
    residual: float
    careful: bool
    since_plain: int


class Descent:
    """A fit under way: both factors, the products that belong to them, and the losses so far.

    `since_plain` counts the rounds since one did not extrapolate: after 1, `residual` is that of
    the answer itself, else of a point ahead of it.
    """

    def __init__(self, problem: Oriented, S: Array, L: Array) -> None:
        self.problem = problem
        self.S, self.L = Side(S), Side(L, lean=True)
        self.short_sweeps = _short_sweeps(problem)
        self.pace = Extrapolation()
        self.seen: Visit | None = None
        self.losses: list[float] = []
        self.residual = math.nan
        self.careful = False
        self.since_plain = APART

    def step(self, *, plain: bool = False, measure: bool = True) -> None:
        """Do one round: the long factor block by block, then the short one.

        `plain` rounds do not extrapolate; those that do not `measure` leave no residual.
        """
        plain = plain or self.careful
        self.since_plain = 0 if plain else self.since_plain + 1
        beta = 0.0 if plain else self.pace.beta
        before = self.seen
        measure = measure and before is not None
        sweeps = _FIRST if before is None else _LONG._replace(beta=beta, measure=measure)
        short_gradient2 = self._short_gradient2() if measure else math.nan
        self.seen = visit(self.problem, self.S.ahead, self.L, sweeps)
        self.residual = math.nan
        if measure:
            self.residual = self._residual(short_gradient2 + self.seen.gradient2)
        short = _SHORT._replace(beta=beta, most=self.short_sweeps)
        solve_short(self.problem, self.S, self.seen, self.L.ahead, short)
        loss = evaluate(self.problem, self.S.new, self.L.ahead, self.seen)
        if not self._accepts(loss):
            self.seen = before
        else:
            self._balance()

    def restart(self) -> None:
        """Go on from the factors as they stand, without a past."""
        self.S.restart()
        self.L.restart()
        self.pace = Extrapolation()
        self.seen = None

    def recover(self) -> None:
        """Return to the last whole round after an interruption."""
        np.copyto(self.S.ahead, self.S.old)
        self.seen = None

    def state(self) -> Kept:
        """Return a copy of where the fit stands, to be handed to `resumed`."""
        seen = self.seen
        if seen is not None:
            seen = seen._replace(A=seen.A.copy(), B=seen.B.copy())
        return Kept(
            self.S.ahead.copy(), self.S.old.copy(), self.L.ahead.copy(), self.L.old.copy(),
            (self.pace.beta, self.pace.ceiling), seen, np.array(self.losses), self.residual,
            self.careful, self.since_plain,
        )  # fmt: skip

    @classmethod
    def resumed(cls, problem: Oriented, kept: Kept) -> Descent:
        """Return the descent that `state` was taken from, on the same problem."""
        descent = cls(problem, kept.S.copy(), kept.L.copy())
        np.copyto(descent.S.old, kept.S_old)
        np.copyto(descent.L.old, kept.L_old)
        descent.pace.beta, descent.pace.ceiling = kept.pace
        descent.seen = kept.seen
        descent.losses = kept.losses.tolist()
        descent.residual, descent.careful = kept.residual, kept.careful
        descent.since_plain = kept.since_plain
        return descent

    def _accepts(self, loss: float) -> bool:
        """Keep the round or take it back; the one after a step back is taken as it is."""
        rounding = _ROUNDING.get(self.problem.matrix.dtype, 0.0) * self.problem.norm2
        rises = bool(self.losses) and loss > self.losses[-1] + rounding
        if rises and not self.careful:
            self.L.turn()
            np.copyto(self.S.ahead, self.S.old)
            self.pace.cut()
            self.careful = True
            self.losses.append(self.losses[-1])
            return False
        self.S.accept()
        self.L.accept()
        if not self.careful:
            self.pace.grow()
        self.careful = False
        self.losses.append(loss)
        return True

    def _balance(self) -> None:
        """Share the length of a component that has drifted evenly between its two rows.

        What is left of components that X has no need of is rounding, and while one row shrinks
        the other may grow beyond what the dtype holds. Powers of two change no product.
        """
        problem, seen = self.problem, self.seen
        assert seen is not None
        if problem.penalty.active and not problem.penalty.scale_free:
            return  # the scale is what this penalty is about
        L2 = np.diagonal(seen.B)
        if L2.min() > _SHORTEST2 and L2.max() < 1 / _SHORTEST2:
            return
        S2 = np.einsum("ij,ij->i", self.S.old, self.S.old, dtype=np.float64)
        of_S, of_L = (np.log2(np.where(norms2 > 0, norms2, 1.0)) for norms2 in (S2, L2))
        powers = np.clip((of_L - of_S) / 4, -_FURTHEST, _FURTHEST)
        drifted = np.flatnonzero(np.abs(powers) > _DRIFT)
        drifted = np.intersect1d(drifted, np.intersect1d(problem.S_free, problem.L_free))
        factor = np.exp2(np.round(powers[drifted]))[:, None].astype(problem.matrix.dtype)
        for rows in (self.S.ahead, self.S.old):
            rows[drifted] *= factor
        for rows in (self.L.ahead, self.L.old):
            rows[drifted] /= factor
        inverse = np.ones(len(S2))
        inverse[drifted] = 1 / factor[:, 0]
        A = np.asarray(seen.A * inverse[:, None], seen.A.dtype)
        self.seen = seen._replace(A=A, B=seen.B * np.outer(inverse, inverse))

    def _short_gradient2(self) -> float:
        assert self.seen is not None
        nothing = Sweeps(most=0, measure=True)
        return solve_short(
            self.problem, self.S.scratch(), self.seen, self.L.ahead, nothing
        ).gradient2

    def _residual(self, gradient2: float) -> float:
        scale = comparison(self.problem, len(self.S.old))
        return relative_gradient(gradient2, self.losses[-1], scale, factors=2)


def comparison(problem: Oriented, k: int) -> Scale:
    """Return what the slack of k components is compared with."""
    from_entries = problem.at_hand and not problem.penalty.active
    scale = scale_of(problem.norm2, problem.matrix.dtype, rows=k if from_entries else 0)
    return scale._replace(floor=problem.floor)  # which is that of X before it was converted


def _short_sweeps(problem: Oriented) -> int:
    """Sweep the short factor as often as costs little beside the visit."""
    n, p = problem.matrix.shape
    share = problem.matrix.height * p / max(1, 2 * n * problem.S_free.size)
    return int(min(max(share, _LONG.most), _SHORT.most))


def descend(
    descent: Descent, *, tol: float, max_iter: int, watch: Watch | None = None, settle: bool = False
) -> bool:
    """Go on until the residual is at most `tol`; say whether it came to be.

    Parameters
    ----------
    descent : Descent
        The fit; moved on in place.
    tol : float
        Bound on the residual of both factors; 0 goes on to `max_iter`.
    max_iter : int
        Rounds in all, those already done included.
    watch : callable, optional
        Called after each round with iteration, loss, residual, S and L; True ends the fit.
    settle : bool, default False
        Once the loss is nearly flat, run a round now and then that does not extrapolate: for the
        residual of a point ahead, several times that of the answer, a fit would go on for long.

    Returns
    -------
    bool
        Whether the residual was reached.
    """
    rule = Rule(tol, descent.problem.floor)
    while len(descent.losses) < max_iter:
        look = tol > 0 and rule.is_near(descent.losses)
        plain = settle and look and descent.since_plain >= APART
        descent.step(plain=plain, measure=look or watch is not None)
        done = len(descent.losses)
        S, L = descent.S.old, descent.L.ahead
        if watch is not None and watch(done, descent.losses[-1], descent.residual, S, L):
            return False
        if look and rule.ends(descent.residual, descent.losses, ahead=descent.since_plain != 1):
            return True
    return False
