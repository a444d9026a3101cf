"""A least-squares factorisation as it is posed: the matrix, its scale, penalties and weights."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..compute.threads import Crew
from ..compute.types import Array
from ..matrices.blocks import Blocks, Dense, Lies
from ..matrices.streamed import Stream
from ..matrices.tile_products import add_products, in_fours
from ..penalties.penalty import Penalty


class Problem(NamedTuple):
    """The data of a fit and what is held or weighed, in the inner orientation and scale."""

    blocks: Blocks | Stream
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
        unweighted = self.S_weights is None and self.L_weights is None
        return isinstance(self.blocks, Dense) and unweighted


class Visit(NamedTuple):
    """What one pass over X leaves: X @ L.T, L @ L.T, and how the sweeps went."""

    A: Array
    B: Array
    gradient2: float
    decrease: float
    bound: float


LONG = 1 << 16  # columns at once where float64 would take too much room


Totals = tuple[Array, Array, Array]


def zeros(blocks: Blocks, lies: Lies, k: int) -> Totals:
    """Return totals to add to: in float64, unless they are as many as a long side."""
    dtype = np.float64 if blocks.height < LONG else blocks.dtype
    A = np.zeros((k, blocks.height) if lies.turned else (blocks.height, k), dtype)
    return A.T if lies.turned else A, np.zeros((k, k)), np.zeros(3)


def products_of(problem: Problem, L: Array) -> Visit:
    """Gather X @ L.T and L @ L.T alone."""
    blocks, inverse = problem.blocks, problem.blocks.dtype.type(1 / problem.scale)
    if isinstance(blocks, Stream):
        totals, _ = blocks.run(_products_of_part, inverse, L, problem.L_weights, rows=len(L))
        return gather_parts(problem, [totals], len(L))
    work = partial(_products_of_group, blocks, None, inverse, L, problem.L_weights)
    return gather_parts(problem, problem.crew.map(work, blocks.groups), len(L))


def _products_of_part(
    X: Array, so_far: Totals | None, inverse: Any, L: Array, weights: Array | None
) -> tuple[Totals, None]:
    blocks = Dense(X)
    group = [block for run in blocks.groups for block in run]
    return _products_of_group(blocks, so_far, inverse, L, weights, group), None


def _products_of_group(
    blocks: Blocks,
    so_far: Totals | None,
    inverse: Any,
    L: Array,
    weights: Array | None,
    group: list[slice],
) -> Totals:
    k, lies = L.shape[0], blocks.lies
    if lies is None:
        A, B = np.zeros((blocks.height, k)), np.zeros((k, k))
        for block in group:
            add_block_products(blocks, inverse, L, weights, block, A, B)
        return A, B, np.zeros(3)
    where = slice(group[0].start, group[-1].stop)
    part = L[:, where]
    by_weight = part if weights is None else part * weights[where]
    rows = in_fours(by_weight * inverse)
    A, B, figures = zeros(blocks, lies, len(rows)) if so_far is None else so_far
    B[:k, :k] += by_weight.astype(np.float64) @ part.T.astype(np.float64)
    add_products(lies.X, lies.turned, rows, where.start, where.stop, A.T if lies.turned else A)
    return A, B, figures


def add_block_products(
    blocks: Blocks, inverse: Any, L: Array, weights: Array | None, block: slice, A: Array, B: Array
) -> None:
    """Add what a block gives to X @ L.T (encoded) and to L @ L.T."""
    part = L[:, block]
    by_weight = part if weights is None else part * weights[block]
    A += blocks.spread(by_weight * inverse, block)
    B += by_weight.astype(np.float64) @ part.T.astype(np.float64)


def project(problem: Problem, S: Array) -> Array:
    """Return S @ X in the inner scale, for S (m, n)."""
    blocks = problem.blocks
    S = (S / problem.scale).astype(blocks.dtype)
    out = np.empty((S.shape[0], blocks.shape[1]), blocks.dtype)
    if isinstance(blocks, Stream):
        _, parts = blocks.run(_project_part, S)
        for where, values in zip(blocks.slices, parts, strict=True):
            out[:, where] = values
        return out
    encoded = blocks.encode(S)

    def work(group: list[slice]) -> None:
        for block in group:
            out[:, block] = blocks.project(encoded, block)

    problem.crew.map(work, blocks.groups)
    return out


def _project_part(X: Array, _: None, S: Array) -> tuple[None, Array]:
    return None, np.asarray(S @ X)


def gather_parts(problem: Problem, parts: list[Totals], k: int) -> Visit:
    A, B, figures = parts[0]
    for part in parts[1:]:
        A, B, figures = A + part[0], B + part[1], figures + part[2]
    products = problem.blocks.decode(np.asarray(A[:, :k])).T
    return Visit(np.ascontiguousarray(products), B[:k, :k], *map(float, figures))


def restrict(problem: Problem, blocks: Blocks) -> Problem:
    """Pose the fit on some of the columns of X, given as blocks."""
    return problem._replace(blocks=blocks, norm2=energy(blocks) / problem.scale**2)


def energy(blocks: Blocks) -> float:
    return math.fsum(float(blocks.column_norms2(b).sum()) for g in blocks.groups for b in g)
