"""A sketch of X that a fit descends on in place of X, and its correction where that led to.

X ~ Q @ Z with orthonormal Q over the short side. With S and X @ L.T among the directions Q, both
products of Q @ Q.T @ X are those of X at (S, L): widened by these directions, the sketch has the
gradient of X there, and the rounds still missing are made on it as well.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..compression.range_finder import complement
from ..compute.types import Array
from ..matrices.in_memory import Compressed
from ..problem.oriented import Oriented, products_of, project
from .block_update import begin_long
from .hals import Descent, descend

CORRECTIONS = 2  # at most: on fUSI-like data the first is enough, and more are not asked for
TOL = 1e-3  # of a residual, by which starts are told apart: at it a fit on X ends by default
CORRECTED_TOL = TOL / 10  # so that a fit on X has little to do; twice as much ends alike
CORRECTED_ROUNDS = 30  # 80 end alike; after 20, or 15 in memory, 17 and 6 % more passes follow


class Settled(NamedTuple):
    """Where a descent led to: loss, factors, rounds, and whether its residual was reached."""

    loss: float
    S: Array
    L: Array
    rounds: int
    reached: bool


def settle(
    problem: Oriented, S: Array, L: Array | None = None, *, rounds: int, tol: float = TOL
) -> Settled:
    """Go down from S (k, n), which is copied, and L (k, p), solved from S where it is not given."""
    descent = Descent(problem, S.copy(), begin_long(problem, S) if L is None else L)
    reached = descend(descent, tol=tol, max_iter=rounds)
    losses = descent.losses
    return Settled(losses[-1], descent.S.old, descent.L.ahead, len(losses), reached)


class LongSide(NamedTuple):
    """A fit seen along its long side, whichever way the parts of X lie.

    `across` says that the parts lie along the short side, as those of a stream may.
    """

    problem: Oriented
    across: bool = False

    @property
    def turned(self) -> Oriented:
        """The problem whose long factor is that of the long side."""
        if not self.across:
            return self.problem
        free = self.problem.L_free, self.problem.S_free
        return self.problem._replace(
            penalty=self.problem.penalty.turned, S_free=free[0], L_free=free[1]
        )

    def onto_long(self, rows: Array) -> Array:
        """Multiply rows over the short side by X, in one pass and in the inner scale."""
        return products_of(self.problem, rows).A if self.across else project(self.problem, rows)

    def onto_short(self, rows: Array) -> Array:
        """Multiply rows over the long side by X, in one pass and in the inner scale."""
        return project(self.problem, rows) if self.across else products_of(self.problem, rows).A


class Sketch:
    """X ~ Q @ Z, in the inner scale.

    Parameters
    ----------
    fit : LongSide
        What is sketched.
    Q : ndarray, (n, r)
        Orthonormal directions of the short side.
    Z : ndarray, (r, p)
        ``Q.T @ X``.
    """

    def __init__(self, fit: LongSide, Q: Array, Z: Array) -> None:
        self.fit, self.Q, self.Z = fit, Q, Z

    def posed(self, left_out2: float = 0.0) -> Oriented:
        """Pose the fit on the sketch, which leaves so much of the squared norm of X out."""
        return self._on(Compressed(self.Q, self.Z, left_out2))

    def corrected(self, at: Settled) -> tuple[Settled, int]:
        """Go on from (S, L) on a sketch that has the gradient of X there, and so again.

        Parameters
        ----------
        at : Settled
            Where the sketch led to.

        Returns
        -------
        at : Settled
            Where the corrected sketches lead to.
        count : int
            How many there were; each multiplies X twice.
        """
        for count in range(1, CORRECTIONS + 1):
            at = settle(self._widened(at), at.S, at.L, rounds=CORRECTED_ROUNDS, tol=CORRECTED_TOL)
            if at.reached:
                return at, count
        return at, CORRECTIONS

    def _widened(self, at: Settled) -> Oriented:
        new = complement(self.Q, np.concatenate([at.S, self.fit.onto_short(at.L)]).T)
        Z = np.concatenate([self.Z, self.fit.onto_long(new.T)])
        return self._on(Compressed(np.concatenate([self.Q, new], axis=1), Z))

    def _on(self, matrix: Compressed) -> Oriented:
        return self.fit.turned._replace(matrix=matrix, scale=1.0)
