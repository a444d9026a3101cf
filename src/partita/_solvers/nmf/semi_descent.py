"""Steps of a semi-non-negative fit: signals that are best for the maps, maps for the signals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..compute.types import Array, Floats
from ..nnls.solve import solve_gram
from ..optimality.certificate import relative_gradient, squared_gradient
from ..problem.oriented import Oriented, products_of, project
from .hals import Extrapolation, comparison


class Data(NamedTuple):
    """What is factorised, in the inner orientation and scale, and how much parts are shrunk."""

    problem: Oriented
    signals_short: bool
    shrinkage: float

    def onto_features(self, S: Array) -> Array:
        """Return S @ X for signals S (k, n_samples)."""
        if self.signals_short:
            return project(self.problem, S)
        return products_of(self.problem, S).A

    def onto_samples(self, maps: Array) -> Array:
        """Return maps @ X.T for maps (k, n_features)."""
        if self.signals_short:
            return products_of(self.problem, maps).A
        return project(self.problem, maps)


class Point(NamedTuple):
    """Signals S (k, n) and the maps that are best for them, with their products.

    `gram` are the products of the maps with each other, shrinkage included, `cross` those with X.
    `lengths` (k, 1) are those that the signals came with: here they have unit norm, else those
    whose maps nearly vanish, for they add little to the others, would grow without end.
    """

    S: Array
    maps: Array
    gram: Floats
    cross: Floats
    loss: float
    residual: float
    lengths: Array


def _look(data: Data, S: Array) -> Point:
    """Find the best maps for signals, and measure both: their own gradient is zero."""
    exact = S.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    lengths[lengths == 0] = 1.0
    exact /= lengths
    S = exact.astype(S.dtype)
    maps = maps_for(data, exact, data.onto_features(S))
    cross = data.onto_samples(maps).astype(np.float64)
    gram = gram_of(maps, data.shrinkage)
    loss = 0.5 * max(data.problem.norm2 - float(np.vdot(cross, exact)), 0.0)
    scale = comparison(data.problem, len(S))
    residual = relative_gradient(signals_gradient2(S, gram, cross), loss, scale)
    return Point(S, maps, gram, cross, loss, residual, lengths.astype(S.dtype))


def signals_gradient2(S: Array, gram: Floats, cross: Floats) -> float:
    slopes = gram @ S.astype(np.float64) - cross
    return squared_gradient(slopes.T, np.diag(gram), S.T, np.ones(len(S), bool))


def maps_for(data: Data, S: Floats, onto_features: Array) -> Array:
    """Return the maps that fit best, none where signals add nothing to the others."""
    gram = gram_of(S, data.shrinkage)
    lengths = np.sqrt(np.diag(gram))
    scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    rounding = 10 * float(np.finfo(onto_features.dtype).eps)
    inverse = np.linalg.pinv(gram * scale * scale[:, None], rcond=rounding, hermitian=True)
    return np.asarray((inverse * scale * scale[:, None]) @ onto_features, onto_features.dtype)


def signals_for(point: Point) -> Array:
    """Return the signals that fit best with the maps of a point."""
    return solve_gram(point.gram, point.cross, start=point.S).astype(point.S.dtype)


def gram_of(rows: Array, shrinkage: float) -> Floats:
    """Return the products of rows with each other, and what the penalty adds to the diagonal.

    It is a share of the diagonal, whichever factor is solved.
    """
    exact = rows.astype(np.float64, copy=False)
    gram = exact @ exact.T
    return np.asarray(gram + shrinkage * np.diag(np.diag(gram)))


class Descent:
    """A fit under way: where it stands, the signals before, and the losses so far."""

    def __init__(self, data: Data, S: Array) -> None:
        self.data, self.at = data, _look(data, S)
        self.old = self.at.S
        self.pace = Extrapolation()
        self.losses: list[float] = []

    def step(self) -> None:
        """Solve the signals and run ahead; only as far as they are where the loss would rise."""
        new = signals_for(self.at)
        reach = new.dtype.type(self.pace.beta)
        then = _look(self.data, np.maximum(new + reach * (new - self.old), 0))
        if then.loss > self.at.loss:
            self.pace.cut()
            then = _look(self.data, new)
        else:
            self.pace.grow()
        self.at, self.old = then, new / then.lengths
        self.losses.append(then.loss)
