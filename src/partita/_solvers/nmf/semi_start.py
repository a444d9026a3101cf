"""Starts of a semi-non-negative fit: several on a sketch of X, and the one that leads lowest."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..compression.range_finder import find_range
from ..compute.threads import Crew
from ..compute.types import Array
from ..matrices.convert import Laid
from ..matrices.in_memory import Dense
from ..matrices.streamed import Stream
from ..nnls.solve import solve_gram
from ..problem.start import Start
from .multistart import ample
from .semi_descent import Data, Descent, Point, gram_of

# On a z-scored recording of four parts that are silent most of the time (200 x 400, l2 = 0.1) two
# starts of five ended in a higher minimum; none took more than 65 rounds with l2 of 0.01 or more.
_STARTS, _ROUNDS, _SKETCH_TOL = 8, 100, 1e-3
_SAMPLE = 4096  # as many as the first sample of `multistart`
_ROUNDING = 1e-6  # a loss that is lower by this share may be so by rounding


def begin(
    data: Data, laid: Laid, k: int, start: Start, rng: np.random.Generator
) -> tuple[Array, dict[str, Any]]:
    """Return signals to descend from: those given, or where the best of several starts leads."""
    dtype = data.problem.matrix.dtype
    if start.W is not None:
        return np.ascontiguousarray(start.W.T / data.problem.scale, dtype), {"route": "warm"}
    if start.H is not None:
        maps = np.ascontiguousarray(laid.as_laid(start.H), dtype)
        S = solve_gram(gram_of(maps, data.shrinkage), data.onto_samples(maps))
        return S, {"route": "warm"}
    count = _STARTS if start.n_starts == "auto" else int(start.n_starts)
    Y = _sketched(data, k, rng)
    report = {"route": "sketch", "starts": count, "rank": Y.shape[1]}
    return _settled(data, Y, _raced(data, Y, k, count, rng)), report


def _sketched(data: Data, k: int, rng: np.random.Generator) -> Array:
    """Return Y (n_samples, r), whose products over the features are those of X but for little."""
    problem, short = data.problem, data.signals_short
    if isinstance(problem.matrix, Stream):
        problem.matrix.sample = None  # which is not needed here, and makes room
    found = find_range(problem, min(ample(k), *problem.matrix.shape), rng, short=short)
    if not short:
        return np.ascontiguousarray(found.Z.T)
    squares, vectors = np.linalg.eigh((found.Z @ found.Z.T).astype(np.float64))
    turned = found.Q @ (vectors * np.sqrt(np.maximum(squares, 0)))
    return np.ascontiguousarray(turned, problem.matrix.dtype)


def _posed(data: Data, Y: Array) -> Data:
    """Pose the fit on a sketch, or on some samples of it, on one thread."""
    share = len(Y) / data.problem.matrix.shape[0 if data.signals_short else 1]
    problem = data.problem._replace(
        matrix=Dense(Y), scale=1.0, crew=Crew(1), norm2=share * data.problem.norm2
    )
    return Data(problem, True, data.shrinkage)


def _raced(data: Data, Y: Array, k: int, count: int, rng: np.random.Generator) -> Array:
    """Return the maps on the sketch to which the best of several starts leads."""
    if len(Y) > 2 * _SAMPLE:
        Y = Y[rng.choice(len(Y), _SAMPLE, replace=False)]
    small = _posed(data, Y)
    starts = [_halves(Y, k), *(_drawn(Y, k, rng) for _ in range(count - 1))]

    def run(S: Array) -> Point:
        return _descended(small, S)

    ends = data.problem.crew.map(run, starts)
    least = min(end.loss for end in ends) * (1 + _ROUNDING)
    return next(end.maps for end in ends if end.loss <= least)


def _settled(data: Data, Y: Array, maps: Array) -> Array:
    """Go on from maps on the whole sketch, and return the signals there."""
    S = solve_gram(gram_of(maps, data.shrinkage), maps @ Y.T)
    return _descended(_posed(data, Y), S).S


def _descended(data: Data, S: Array) -> Point:
    descent = Descent(data, S)
    while len(descent.losses) < _ROUNDS and descent.at.residual > _SKETCH_TOL:
        descent.step()
    return descent.at


def _halves(Y: Array, k: int) -> Array:
    """Return the k strongest of the positive and negative halves of the singular vectors.

    A singular pair is the sum of two parts of this model: ``u v = max(u, 0) v + max(-u, 0) (-v)``.
    """
    exact = Y.astype(np.float64)
    left = exact @ np.linalg.eigh(exact.T @ exact)[1][:, ::-1][:, :k]
    halves = np.concatenate([np.maximum(left, 0), np.maximum(-left, 0)], axis=1).T
    order = np.argsort(-np.linalg.norm(halves, axis=1), kind="stable")[:k]
    S = np.zeros((k, len(Y)), Y.dtype)
    S[: order.size] = halves[order]
    return S


def _drawn(Y: Array, k: int, rng: np.random.Generator) -> Array:
    """Return signals for k samples as maps, each drawn by what those before it leave unexplained.

    As k-means++ draws centres (Arthur & Vassilvitskii 2007), of cones instead of points.
    """
    exact = Y.astype(np.float64)
    left = squares = np.einsum("ij,ij->i", exact, exact)
    maps = np.empty((0, Y.shape[1]))
    for _ in range(k):
        total = left.sum()
        drawn = rng.choice(len(Y), p=left / total if total > 0 else None)
        maps = np.concatenate([maps, exact[drawn : drawn + 1]])
        gram, cross = maps @ maps.T, maps @ exact.T
        S = solve_gram(gram, cross)
        left = np.maximum(squares - np.einsum("ij,ij->j", S, 2 * cross - gram @ S), 0.0)
    return S.astype(Y.dtype)
