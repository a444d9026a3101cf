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
from ..problem.oriented import Oriented
from .block_update import Side, Sweeps, Visit, evaluate, solve_short, visit

Watch = Callable[[int, float, float, Array, Array], bool]


_FIRST = Sweeps(most=20, ratio=1e-3)
_LONG = Sweeps(most=4)
_SHORT = Sweeps(most=20)
_NEAR, _FLAT, _STILL, _ROUNDS = 0.5, 5e-3, 5e-4, 5
_ROUNDING = {np.dtype(np.float32): 2e-8}
_SHORTEST2, _DRIFT, _FURTHEST = 2.0**-24, 6, 100
_EXACT = 32
_APART = 4


class Extrapolation:
    """How far to run ahead: growing while the loss falls, cut back when it rises."""

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
        self.since_plain = _APART

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

    def ends(self, tol: float) -> bool:
        """Say whether the residual is well within `tol`, or within it with nothing more to gain."""
        if self._is_rounding():
            return self.residual <= tol
        if self.residual <= (tol if self.since_plain == 1 else _NEAR * tol):
            return self.flat(_FLAT * tol)
        return self.residual <= tol and self.flat(_STILL * tol)

    def is_worth_a_look(self, tol: float) -> bool:
        """Say whether so little is gained by now that the residual decides."""
        return bool(self.losses) and (self._is_rounding() or self.flat(_FLAT * tol))

    def _is_rounding(self) -> bool:
        """Say whether what the loss does now is rounding."""
        return 2 * self.losses[-1] <= self.problem.floor**2

    def flat(self, share: float) -> bool:
        """Say whether the last rounds lowered the loss by less than `share` of it."""
        recent = self.losses[-1 - _ROUNDS :]
        least = 0.5 * self.problem.floor**2
        return len(recent) > _ROUNDS and recent[0] - recent[-1] <= share * max(recent[-1], least)

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
        return relative_gradient(self.problem, gradient2, self.losses[-1], 2 * len(self.S.old))


def relative_gradient(problem: Oriented, gradient2: float, loss: float, rows: int) -> float:
    """Return the length of the gradient of so many rows in units of the misfit, floored.

    In the metric of the Hessian no row of it is longer than the misfit (Cauchy-Schwarz), which
    tells more than the gradient itself where X is explained but for rounding; and there is none
    where the misfit is no more than the rounding of the factors.
    """
    misfit = math.sqrt(2 * loss)
    length = math.sqrt(gradient2)
    if problem.at_hand and not problem.penalty.active:
        rounding = _EXACT * np.finfo(problem.matrix.dtype).eps * math.sqrt(problem.norm2)
        length = 0.0 if misfit <= rounding else min(length, math.sqrt(rows) * misfit)
    return length / max(misfit, problem.floor, np.finfo(float).tiny)


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
    while len(descent.losses) < max_iter:
        look = tol > 0 and descent.is_worth_a_look(tol)
        plain = settle and look and descent.since_plain >= _APART
        descent.step(plain=plain, measure=look or watch is not None)
        done = len(descent.losses)
        S, L = descent.S.old, descent.L.ahead
        if watch is not None and watch(done, descent.losses[-1], descent.residual, S, L):
            return False
        if look and descent.ends(tol):
            return True
    return False
