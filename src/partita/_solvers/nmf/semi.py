"""Semi-non-negative factorisation: signals without signs, maps with them.

For given signals the best maps are a plain least-squares answer, which leaves a loss of the signals
alone. It is lowered by exact non-negative least squares for the best maps, extrapolated (Ang &
Gillis 2019), where the multiplicative rule of Ding, Li & Jordan (2010) takes many small steps.
Several starts are solved on a sketch of X, the best is polished on X.
"""

from __future__ import annotations

import math
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from ..compression.range_finder import find_range
from ..compute.threads import Crew, single_blas
from ..compute.types import Array, Floats
from ..matrices import products
from ..matrices.convert import Laid, lay
from ..matrices.in_memory import Dense
from ..matrices.streamed import Stream
from ..nnls.solve import solve_gram
from ..optimality.certificate import (
    Slack,
    certify,
    floor_share,
    relative_gradient,
    squared_gradient,
)
from ..optimality.stopping import Rule
from ..penalties.unit_norm import UnitNorm
from ..problem import normalisation
from ..problem.oriented import Oriented, products_of, project
from ..problem.problem import Problem
from ..problem.solution import Certificate, Solution, State, nothing_to_explain
from ..problem.start import Start
from ..problem.stopping import Stopping
from .frobenius import orient
from .hals import Extrapolation, comparison
from .multistart import ample

# On a z-scored recording of four parts that are silent most of the time (200 x 400, l2 = 0.1) two
# starts of five ended in a higher minimum; none took more than 65 rounds with l2 of 0.01 or more.
_STARTS, _ROUNDS, _SKETCH_TOL = 8, 100, 1e-3
_SAMPLE = 4096  # as many as the first sample of `multistart`
_ROUNDING = 1e-6  # a loss that is lower by this share may be so by rounding
_AUTO, _DEFAULT = Start(), Stopping()


class _Data(NamedTuple):
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


class _Point(NamedTuple):
    """Signals S (k, n) and the maps that are best for them, with their products.

    `gram` are the products of the maps with each other, shrinkage included, `cross` those with X.
    """

    S: Array
    maps: Array
    gram: Floats
    cross: Floats
    loss: float
    residual: float


def factorise_semi(
    asked: Problem,
    start: Start = _AUTO,
    stopping: Stopping = _DEFAULT,
    *,
    rng: np.random.Generator,
    threads: int | None = None,
) -> Solution:
    """Minimise ``|X - W @ H|^2 / 2 + l2 / 2 * sum_k |w_k|^2 |h_k|^2`` over W >= 0 and any H.

    Parameters
    ----------
    asked : Problem
        Signed data, dense, sparse or a surveyed stream; no weights, nothing held, and of the
        penalties `l2` of `UnitNorm` alone.
    start : Start
        Factors to begin from, or how many starts to try; what it is named plays no part.
    stopping : Stopping
        When to end, and who watches.
    rng : Generator
        Random numbers, drawn over the samples only.
    threads : int, optional
        Threads to use; by default as many as the process may.

    Returns
    -------
    Solution
        Factors in the dtype of X; the signals are exact for the maps.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.random((30, 2)) @ rng.standard_normal((2, 40))
    >>> solution = factorise_semi(Problem(X, 2), stopping=Stopping(tol=1e-6), rng=rng)
    >>> bool(np.abs(X - solution.W @ solution.H).max() < 1e-3), solution.converged
    (True, True)
    """
    norm2 = products.norm2(asked.X)
    if norm2 == 0.0:
        return nothing_to_explain(asked.X, asked.n_components, start.H)
    shrinkage = asked.penalty.l2 if isinstance(asked.penalty, UnitNorm) else 0.0
    laid, free = lay(asked.X), np.ones(asked.n_components, bool)
    with single_blas(), Crew(threads) as crew:
        problem = orient(laid, norm2, asked.penalty, None, free, crew=crew)
        problem = problem._replace(floor_share=floor_share(asked.X.dtype))
        data = _Data(problem, laid.signals_short, shrinkage)
        solution = _run(data, laid, asked, start, stopping, rng)
    return solution._replace(norm2=norm2)


def _run(
    data: _Data,
    laid: Laid,
    asked: Problem,
    start: Start,
    stopping: Stopping,
    rng: np.random.Generator,
) -> Solution:
    clock = perf_counter()
    S, report = _begin(data, laid, asked.n_components, start, rng)
    seconds = {"start": perf_counter() - clock}
    clock = perf_counter()
    descent, rule = _Descent(data, S), Rule(stopping.tol, data.problem.floor)
    cut_short: BaseException | None = None
    try:
        while True:
            ended = _descend(descent, rule.aim, laid, stopping)
            end = _finish(descent)
            if ended or end.certificate.residual <= stopping.tol:
                break
            rule = rule.tightened()
    except (KeyboardInterrupt, OSError) as error:
        end, cut_short = _unfinished(descent), error
    seconds["iterations"] = perf_counter() - clock
    unit, dtype = data.problem.scale, asked.X.dtype
    losses = np.array([*descent.losses[:-1], end.loss]) * unit**2
    return Solution(
        (end.S.T * unit).astype(dtype),
        laid.as_given(end.maps).astype(dtype),
        losses,
        len(descent.losses),
        end.certificate.residual <= stopping.tol,
        isinstance(cut_short, KeyboardInterrupt),
        end.certificate,
        {**report, "seconds": seconds},
        failure=cut_short if isinstance(cut_short, OSError) else None,
        misfit=None if cut_short is None else end.misfit(data.shrinkage) * unit,
        penalty=asked.penalty,
    )


# One point after another


def _look(data: _Data, S: Array) -> _Point:
    """Find the best maps for signals, and measure both: their own gradient is zero."""
    exact = S.astype(np.float64)
    maps = _maps_for(data, exact, data.onto_features(S))
    cross = data.onto_samples(maps).astype(np.float64)
    gram = _gram(maps, data.shrinkage)
    loss = 0.5 * max(data.problem.norm2 - float(np.vdot(cross, exact)), 0.0)
    scale = comparison(data.problem, len(S))
    residual = relative_gradient(_signals_gradient2(S, gram, cross), loss, scale)
    return _Point(S, maps, gram, cross, loss, residual)


def _signals_gradient2(S: Array, gram: Floats, cross: Floats) -> float:
    slopes = gram @ S.astype(np.float64) - cross
    return squared_gradient(slopes.T, np.diag(gram), S.T, np.ones(len(S), bool))


def _maps_for(data: _Data, S: Floats, onto_features: Array) -> Array:
    """Return the maps that fit best, none where signals add nothing to the others."""
    gram = _gram(S, data.shrinkage)
    lengths = np.sqrt(np.diag(gram))
    scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    rounding = 10 * float(np.finfo(onto_features.dtype).eps)
    inverse = np.linalg.pinv(gram * scale * scale[:, None], rcond=rounding, hermitian=True)
    return np.asarray((inverse * scale * scale[:, None]) @ onto_features, onto_features.dtype)


def _signals_for(point: _Point) -> Array:
    """Return the signals that fit best with the maps of a point."""
    return solve_gram(point.gram, point.cross, start=point.S).astype(point.S.dtype)


def _gram(rows: Array, shrinkage: float) -> Floats:
    """Return the products of rows with each other, and what the penalty adds to the diagonal.

    It is a share of the diagonal, whichever factor is solved.
    """
    exact = rows.astype(np.float64, copy=False)
    gram = exact @ exact.T
    return np.asarray(gram + shrinkage * np.diag(np.diag(gram)))


class _Descent:
    """A fit under way: where it stands, the signals before, and the losses so far."""

    def __init__(self, data: _Data, S: Array) -> None:
        self.data, self.at, self.old = data, _look(data, S), S
        self.pace = Extrapolation()
        self.losses: list[float] = []

    def step(self) -> None:
        """Solve the signals and run ahead; only as far as they are where the loss would rise."""
        new = _signals_for(self.at)
        reach = new.dtype.type(self.pace.beta)
        then = _look(self.data, np.maximum(new + reach * (new - self.old), 0))
        if then.loss > self.at.loss:
            self.pace.cut()
            then = _look(self.data, new)
        else:
            self.pace.grow()
        self.at, self.old = then, new
        self.losses.append(then.loss)


def _descend(descent: _Descent, tol: float, laid: Laid, stopping: Stopping) -> bool:
    """Go on to a residual of `tol`; say whether the fit is to end wherever it is."""
    while len(descent.losses) < stopping.max_iter:
        descent.step()
        if stopping.watch is not None and stopping.watch(_state(descent, laid)) is True:
            return True
        if descent.at.residual <= tol and tol > 0:
            return False
    return True


def _state(descent: _Descent, laid: Laid) -> State:
    at, unit = descent.at, descent.data.problem.scale
    loss, W = at.loss * unit**2, at.S.T * at.S.dtype.type(unit)
    return State(len(descent.losses), loss, at.residual, W, laid.as_given(at.maps))


# The end


class _End(NamedTuple):
    S: Array
    maps: Array
    loss: float
    certificate: Certificate

    def misfit(self, shrinkage: float) -> float:
        """Return the norm of the residual, as the loss has it."""
        energy = float(normalisation.energies(self.S.T, self.maps).sum())
        return math.sqrt(max(2 * self.loss - shrinkage * energy, 0.0))


def _finish(descent: _Descent) -> _End:
    """Solve the signals exactly for the maps, and measure how far the maps are from theirs."""
    data, at = descent.data, descent.at
    S, maps = _signals_for(at), at.maps.astype(np.float64)
    exact = S.astype(np.float64)
    gram = _gram(exact, data.shrinkage)
    slopes = gram @ maps - data.onto_features(S)
    linear = float(np.vdot(at.cross, exact))
    bent = float(np.vdot(at.gram @ exact, exact))
    loss = max(0.5 * (data.problem.norm2 + bent) - linear, 0.0)
    decrease = 0.5 * float(np.vdot(_maps_for(data, exact, slopes), slopes))
    everywhere, free = np.ones((1, 1)), np.ones(len(S), bool)  # maps are free to move either way
    gradient2 = squared_gradient(slopes.T, np.diag(gram), everywhere, free)
    of_signals = Slack(_signals_gradient2(S, at.gram, at.cross), 0.0)
    scale = comparison(data.problem, len(S))
    certificate = certify(of_signals, Slack(gradient2, decrease), loss=loss, scale=scale)
    return _End(S, at.maps, loss, certificate)


def _unfinished(descent: _Descent) -> _End:
    """Return what an interrupted fit has: signals for which the maps are best, uncertified."""
    at = descent.at
    return _End(at.S, at.maps, at.loss, Certificate(*(math.nan,) * 4))


# The beginning


def _begin(
    data: _Data, laid: Laid, k: int, start: Start, rng: np.random.Generator
) -> tuple[Array, dict[str, Any]]:
    """Return signals to descend from: those given, or where the best of several starts leads."""
    dtype = data.problem.matrix.dtype
    if start.W is not None:
        return np.ascontiguousarray(start.W.T / data.problem.scale, dtype), {"route": "warm"}
    if start.H is not None:
        maps = np.ascontiguousarray(laid.as_laid(start.H), dtype)
        S = solve_gram(_gram(maps, data.shrinkage), data.onto_samples(maps))
        return S, {"route": "warm"}
    count = _STARTS if start.n_starts == "auto" else int(start.n_starts)
    Y = _sketched(data, k, rng)
    report = {"route": "sketch", "starts": count, "rank": Y.shape[1]}
    return _settled(data, Y, _raced(data, Y, k, count, rng)), report


def _sketched(data: _Data, k: int, rng: np.random.Generator) -> Array:
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


def _posed(data: _Data, Y: Array) -> _Data:
    """Pose the fit on a sketch, or on some samples of it, on one thread."""
    share = len(Y) / data.problem.matrix.shape[0 if data.signals_short else 1]
    problem = data.problem._replace(
        matrix=Dense(Y), scale=1.0, crew=Crew(1), norm2=share * data.problem.norm2
    )
    return _Data(problem, True, data.shrinkage)


def _raced(data: _Data, Y: Array, k: int, count: int, rng: np.random.Generator) -> Array:
    """Return the maps on the sketch to which the best of several starts leads."""
    if len(Y) > 2 * _SAMPLE:
        Y = Y[rng.choice(len(Y), _SAMPLE, replace=False)]
    small = _posed(data, Y)
    starts = [_halves(Y, k), *(_drawn(Y, k, rng) for _ in range(count - 1))]

    def run(S: Array) -> _Point:
        return _descended(small, S)

    ends = data.problem.crew.map(run, starts)
    least = min(end.loss for end in ends) * (1 + _ROUNDING)
    return next(end.maps for end in ends if end.loss <= least)


def _settled(data: _Data, Y: Array, maps: Array) -> Array:
    """Go on from maps on the whole sketch, and return the signals there."""
    S = solve_gram(_gram(maps, data.shrinkage), maps @ Y.T)
    return _descended(_posed(data, Y), S).S


def _descended(data: _Data, S: Array) -> _Point:
    descent = _Descent(data, S)
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
