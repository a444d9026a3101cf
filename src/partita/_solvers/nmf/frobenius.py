"""Non-negative matrix factorisation: from a matrix to certified factors."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from ..compute.threads import Crew, single_blas
from ..compute.types import Array, RankOne
from ..matrices import products
from ..matrices.convert import Laid, lay
from ..optimality.certificate import floor_share
from ..optimality.stopping import Rule
from ..penalties.penalty import NONE, Extent, Penalty, frozen
from ..problem.oriented import Oriented
from ..problem.problem import Problem
from ..problem.solution import Solution, State, nothing_to_explain
from ..problem.start import Start
from ..problem.stopping import Keeper, Stopping, Watcher
from .begin import Asked, begin
from .block_update import penalty_of
from .dead_components import revive
from .finish import Finish, finish, unfinished
from .hals import Descent, Kept, descend


class Saved(NamedTuple):
    """All that a fit between two rounds needs to go on to the same end.

    While the fit goes on, `kept` is None: it is the state of the descent, copied when it is due.
    """

    kept: Kept | None
    aim: float
    revived: tuple[int, ...]
    passes: float
    report: dict[str, Any]


def factorise_least_squares(
    asked: Problem,
    start: Start,
    stopping: Stopping,
    *,
    rng: np.random.Generator,
    threads: int | None = None,
) -> Solution:
    """Minimise ``|X - W @ H|^2 / 2`` plus penalties over W, H >= 0 (see `factorise.factorise`).

    The weights of `asked`, if any, are of samples and features, not of entries.
    """
    X, k, weights = asked.X, asked.n_components, asked.weights
    assert not isinstance(weights, np.ndarray)
    norm2 = products.norm2(X, weights)
    if norm2 == 0.0:
        return nothing_to_explain(X, k, start.H)
    laid = lay(X)
    start = start if start.H is None else start._replace(H=laid.as_laid(start.H))
    free = np.ones(k, bool) if asked.held is None else ~np.asarray(asked.held, bool)
    with single_blas(), Crew(threads) as crew:
        problem = orient(laid, norm2, asked.penalty, weights, free, crew=crew)
        problem = problem._replace(floor_share=floor_share(X.dtype))
        watched = stopping._replace(watch=_as_given(laid, stopping.watch))
        begun = Asked(start, laid.signals_short, asked.columns, stopping.enter)
        solution = _run(problem, k, begun, watched, rng)
    W = solution.W.astype(X.dtype, copy=False)
    H = laid.as_given(solution.H).astype(X.dtype, copy=False)
    return solution._replace(
        W=W, H=H, norm2=norm2 if weights is None else None, penalty=_left(asked, norm2, W, H)
    )


def _left(asked: Problem, norm2: float, W: Array, H: Array) -> Penalty:
    """Return what is left of the penalty for new signals, in the units of X."""
    if not asked.penalty.active:
        return NONE
    weights = asked.weights if isinstance(asked.weights, tuple) else (None, None)
    bound = asked.penalty.against(_extent(asked.X.shape, norm2, weights))
    return frozen(bound, W.T, H, weights)


def _extent(shape: tuple[int, int], norm2: float, weights: Any) -> Extent:
    n, p = shape
    row, column = weights
    total = n * p if row is None else float(row.sum() * column.sum())
    return Extent(n, p, math.sqrt(norm2 / total))


def orient(
    laid: Laid,
    norm2: float,
    penalty: Penalty,
    weights: RankOne | None,
    free: Array,
    *,
    crew: Crew,
) -> Oriented:
    """Turn a fit so that the short side of X comes first, and bring it to a scale near one."""
    matrix, short = laid.matrix, laid.signals_short
    shape = matrix.shape if short else matrix.shape[::-1]
    row, column = (None, None) if weights is None else weights
    extent = _extent(shape, norm2, (row, column))
    scale = 2.0 ** math.floor(math.log2(extent.rms))
    everything, some = np.arange(free.size), np.flatnonzero(free)
    inner = penalty.against(extent).scaled(W=scale, H=1.0, loss=scale**2)
    if not short:
        row, column, inner = column, row, inner.turned
    return Oriented(
        matrix, norm2 / scale**2, scale, extent.rms / scale,
        inner, everything if short else some, some if short else everything,
        None if row is None else np.asarray(row, matrix.dtype),
        None if column is None else np.asarray(column, matrix.dtype), crew,
        floor_share(matrix.dtype),
    )  # fmt: skip


def _as_given(laid: Laid, watch: Watcher | None) -> Watcher | None:
    """Show a watcher maps in the order of X."""
    if watch is None or laid.order is None:
        return watch
    return lambda state: watch(state._replace(H=laid.as_given(state.H)))


def _run(
    problem: Oriented, k: int, asked: Asked, stopping: Stopping, rng: np.random.Generator
) -> Solution:
    """Start, descend until the certificate holds, and turn the answer back."""
    tol, keeper, signals_short = stopping.tol, stopping.keeper, asked.signals_short
    descent, saved, seconds, cut_short = _begun_or_resumed(problem, k, asked, tol, rng, keeper)
    max_iter = 1 if cut_short else stopping.max_iter
    watcher = _in_units(problem, signals_short, stopping.watch)
    state = "going"
    failure: OSError | None = None
    while state == "going":
        clock = perf_counter()
        keeping = None if keeper is None else partial(_keep_if_due, keeper, descent, saved)
        try:
            stopping.enter("iterations")
            state = _descend(descent, saved.aim, max_iter, watcher, keeping)
            state = "interrupted" if cut_short else state
            seconds["iterations"] += perf_counter() - clock
            clock = perf_counter()
            if state == "interrupted" and problem.matrix.read_anew:
                end = unfinished(descent)  # who interrupts does not wait for further passes
                break
            stopping.enter("certificate")
            end = finish(descent, signals_short=signals_short)
        except OSError as error:
            if not descent.losses:
                raise
            descent.recover()
            end, failure = unfinished(descent), error
            break
        except KeyboardInterrupt:
            descent.recover()
            end, state = unfinished(descent), "interrupted"
            break
        seconds["certificate"] += perf_counter() - clock
        if state == "going" and not saved.revived:
            revived = revive(descent)
            if revived.size:
                saved = saved._replace(revived=tuple(revived.tolist()))
                continue
        if end.certificate.residual <= tol:
            break
        saved = saved._replace(aim=Rule(saved.aim, problem.floor).tightened().aim)
    passes = saved.passes + len(descent.losses) + (0 if math.isnan(end.certificate.residual) else 2)
    report = {**saved.report, "passes": passes,
              "seconds": seconds, "revived": list(saved.revived)}  # fmt: skip
    answer = _answer(descent, end, signals_short, tol, state == "interrupted", report)
    return answer._replace(failure=failure)


def _begun_or_resumed(
    problem: Oriented,
    k: int,
    asked: Asked,
    tol: float,
    rng: np.random.Generator,
    keeper: Keeper | None,
) -> tuple[Descent, Saved, dict[str, float], bool]:
    """Return a descent, what is kept beside its state, seconds, and whether Ctrl-C cut it short."""
    saved = None if keeper is None else keeper.recall()
    cut_short = False
    if saved is None:
        begun = begin(problem, k, asked, rng)
        descent, seconds = Descent(problem, begun.S, begun.L), dict(begun.seconds)
        saved = Saved(descent.state(), tol, (), begun.passes, dict(begun.report))
        cut_short = begun.cut_short
        if keeper is not None and not cut_short:
            keeper.keep(saved)
    else:
        assert saved.kept is not None
        descent, seconds = Descent.resumed(problem, saved.kept), {"start": 0.0}
    saved = saved._replace(kept=None)
    return descent, saved, seconds | {"iterations": 0.0, "certificate": 0.0}, cut_short


def _keep_if_due(keeper: Keeper, descent: Descent, saved: Saved) -> None:
    if keeper.is_due():
        keeper.keep(saved._replace(kept=descent.state()))


def _descend(
    descent: Descent,
    aim: float,
    max_iter: int,
    watch: Callable[..., bool] | None,
    keeping: Callable[[], None] | None,
) -> str:
    def after_each(*seen: Any) -> bool:
        if keeping is not None:
            keeping()
        return watch is not None and watch(*seen)

    watching = None if watch is None and keeping is None else after_each
    try:
        reached = descend(descent, tol=aim, max_iter=max_iter, watch=watching, settle=True)
    except KeyboardInterrupt:
        descent.recover()
        return "interrupted"
    return "going" if reached else "ended"


def _in_units(
    problem: Oriented, signals_short: bool, watch: Watcher | None
) -> Callable[..., bool] | None:
    if watch is None:
        return None

    def watcher(iteration: int, loss: float, residual: float, S: Array, L: Array) -> bool:
        W, H = _turn_back(problem, S, L, signals_short)
        return watch(State(iteration, loss * problem.scale**2, residual, W, H)) is True

    return watcher


def _turn_back(problem: Oriented, S: Array, L: Array, signals_short: bool) -> tuple[Array, Array]:
    W, H = (S, L) if signals_short else (L, S)
    return np.ascontiguousarray(W.T) * W.dtype.type(problem.scale), H.copy()


def _answer(
    descent: Descent,
    end: Finish,
    signals_short: bool,
    tol: float,
    interrupted: bool,
    report: dict[str, object],
) -> Solution:
    scale = descent.problem.scale
    W, H = _turn_back(descent.problem, descent.S.ahead, descent.L.ahead, signals_short)
    losses = np.array(descent.losses or [end.loss]) * scale**2
    losses[-1] = end.loss * scale**2
    converged = end.certificate.residual <= tol and not interrupted
    problem, misfit = descent.problem, None
    exact = problem.at_hand and end.loss > 0.5 * problem.floor**2  # else rounding of W, H counts
    if exact or (interrupted and problem.matrix.read_anew):  # which is not read again
        penalty = penalty_of(problem, descent.S.ahead, descent.L.ahead)
        misfit = math.sqrt(2 * (end.loss - penalty)) * scale
    return Solution(
        W, H, losses, len(descent.losses), converged, interrupted, end.certificate, report,
        misfit=misfit,
    )  # fmt: skip
