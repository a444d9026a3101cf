"""A least-squares problem as it is solved: short side first, its values of order one.

Inside, the short factor S (k, n) and the long factor L (k, p) lie component by component, and X is
worked on divided by a power of two near its rms, which is folded into the products.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..compute.threads import Crew
from ..compute.types import Array, Floats
from ..matrices.inner_products import FEWEST, add_products
from ..matrices.matrix import Columns, Matrix, Sums
from ..penalties.penalty import Penalty, Weights

LONG = 1 << 16  # entries of a side, beyond which sums along it in float64 take too much memory


class Oriented(NamedTuple):
    """The data of a fit and what is held or weighed, in the inner orientation and scale.

    To the penalty, here measured by the data, S are the signals.
    """

    matrix: Matrix
    norm2: float
    scale: float
    rms: float
    penalty: Penalty
    S_free: Array
    L_free: Array
    S_weights: Array | None
    L_weights: Array | None
    crew: Crew
    floor_share: float

    @property
    def floor(self) -> float:
        """Misfit below which the rounding of the data's dtype decides."""
        return self.floor_share * math.sqrt(self.norm2)

    @property
    def at_hand(self) -> bool:
        """Whether the misfit can be taken from the residual, which cancellation does not touch."""
        return self.matrix.at_hand and self.S_weights is None and self.L_weights is None

    @property
    def weights(self) -> Weights:
        """Those along S and along L."""
        return self.S_weights, self.L_weights


class Products(NamedTuple):
    """X @ L.T (as (k, n)) and L @ L.T, weighted, in the inner scale."""

    A: Array
    B: Array


def products_of(problem: Oriented, L: Array) -> Products:
    """Gather X @ L.T and L @ L.T, in one pass."""
    # In the dtype of X: a float64 would take every block there with it.
    inverse = problem.matrix.dtype.type(1 / problem.scale)
    A, B = problem.matrix.over_parts(
        _add_products_of_part,
        inverse,
        reads=(L, problem.L_weights),
        rows=len(L),
        crew=problem.crew,
    )
    return Products(decoded(problem, A), B)


def _add_products_of_part(
    part: Columns,
    group: list[slice],
    sums: Sums | None,
    inverse: Any,
    L: Array,
    weights: Array | None,
) -> Sums:
    A, B = zeros(part, len(L)) if sums is None else sums
    for block in group:
        add_block_products(part, inverse, L, weights, block, A, B)
    return A, B


def add_block_products(
    part: Columns, inverse: Any, L: Array, weights: Array | None, block: slice, A: Array, B: Array
) -> None:
    """Add what a block gives to X @ L.T (encoded) and to L @ L.T."""
    rows = L[:, block]
    by_weight = rows if weights is None else rows * weights[block]
    part.add_spread(by_weight * inverse, block, A)
    if len(L) >= FEWEST:  # summed panel by panel, which is off by 2e-9 in float32
        add_products(L, block, by_weight, B)
    else:
        B += by_weight.astype(np.float64) @ rows.T.astype(np.float64)


def zeros(part: Columns, k: int) -> tuple[Array, Array]:
    """Return products to add to: in float64, unless they are as many as a long side.

    Those lie component by component, as `decoded` returns them.
    """
    if part.height < LONG:
        return np.zeros((part.height, k)), np.zeros((k, k))
    return np.zeros((k, part.height), part.dtype).T, np.zeros((k, k))


def decoded(problem: Oriented, A: Array) -> Array:
    """Return a sum of encoded products as (k, n)."""
    return np.ascontiguousarray(problem.matrix.decode(A).T)


def project(problem: Oriented, S: Array) -> Array:
    """Return S @ X in the inner scale, for S (m, n), in one pass."""
    matrix = problem.matrix
    S = (S / problem.scale).astype(matrix.dtype)
    out = np.empty((S.shape[0], matrix.shape[1]), matrix.dtype)
    matrix.over_parts(_project_part, matrix.encode(S), writes=(out,), crew=problem.crew)
    return out


def _project_part(part: Columns, group: list[slice], _: None, S: Array, out: Array) -> None:
    for block in group:
        out[:, block] = part.project(S, block)


def multiply_gram(problem: Oriented, S: Array) -> Array:
    """Return S @ X @ X.T in the inner scale, in one pass, for S (m, n)."""
    matrix = problem.matrix
    inverse = matrix.dtype.type(1 / problem.scale)
    encoded = matrix.encode(S.astype(matrix.dtype) * inverse)
    common = encoded, len(S), inverse
    (total,) = matrix.over_parts(_add_gram_of_part, common, crew=problem.crew)
    return np.asarray(matrix.decode(total).T)


def _add_gram_of_part(
    part: Columns, group: list[slice], sums: Sums | None, common: tuple[Array, int, Any]
) -> Sums:
    encoded, m, inverse = common
    total = np.zeros((part.height, m)) if sums is None else sums[0]
    for block in group:
        projected = part.project(encoded, block)
        part.add_spread(projected * inverse, block, total)
    return (total,)


def column_norms2(problem: Oriented) -> Floats:
    """Return the squared norm of each column of X (p,), rows weighted, in the inner scale."""
    norms = np.empty(problem.matrix.shape[1])
    problem.matrix.over_parts(
        _norms2_of_part, problem.S_weights, writes=(norms,), crew=problem.crew
    )
    return norms / problem.scale**2


def _norms2_of_part(
    part: Columns, group: list[slice], _: None, row_weights: Array | None, out: Array
) -> None:
    for block in group:
        out[block] = part.column_norms2(block, row_weights)


def energy(problem: Oriented) -> float:
    """Return the squared norm of X, weighted, in the inner scale."""
    norms = column_norms2(problem)
    return float(norms.sum() if problem.L_weights is None else norms @ problem.L_weights)


def restricted(
    problem: Oriented, matrix: Matrix, *, share: float, weights: Array | None = None
) -> Oriented:
    """Pose the fit on some of the columns of X, on one thread.

    Parameters
    ----------
    problem : Oriented
        The fit.
    matrix : Matrix
        These columns.
    share : float
        How many of all columns they are.
    weights : ndarray, optional
        Their weights.
    """
    small = problem._replace(
        matrix=matrix, penalty=problem.penalty.restricted(share), L_weights=weights, crew=Crew(1)
    )
    return small._replace(norm2=energy(small) + matrix.left_out2 / problem.scale**2)
